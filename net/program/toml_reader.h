// SPDX-License-Identifier: MIT
// Reads TOML, and reports every problem and every unknown key with its line.
#ifndef PAIRPORT_NET_TOML_READER_H_
#define PAIRPORT_NET_TOML_READER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <toml++/toml.h>

namespace pairport {

bool has_no_control_character(std::string_view text) noexcept;

// Collects the problems of a file: one line each, with file, line and key, in the order of the file; never a value.
class TomlErrors {
 public:
  // `file_name` is only for messages.
  explicit TomlErrors(std::string_view file_name) : file_name_(file_name) {}

  // `where`: line 0 means that there is no line. `key` may be empty.
  void report(const toml::source_region& where, std::string_view key, std::string_view what);
  // The lines, without a line break at the end; empty when there is no problem.
  std::string text() const;

 private:
  std::string file_name_;
  std::multimap<toml::source_index, std::string> errors_;  // by line
};

// Parses `text`. Nothing when it is not TOML; `errors` has the place.
std::optional<toml::table> parse_toml(std::string_view text, std::string_view file_name, TomlErrors& errors);

// One table of the file. A missing table counts as empty.
class TomlSection {
 public:
  // The arguments outlive the object.
  TomlSection(TomlErrors& errors, const toml::table& root, std::string_view name);

  bool present() const { return table_ != nullptr; }

  // Calls `use(value)`, which returns whether the value is valid.
  template <typename T, typename Use>
  void read(std::string_view key, std::string_view expected, Use&& use) {
    known_.insert(std::string(key));
    const toml::node* node = find(key);
    if (node == nullptr) return;
    const auto* typed = node->as<T>();
    if (typed == nullptr || !use(typed->get()))
      errors_.report(node->source(), name_of(key), "expected " + std::string(expected));
  }

  void string(std::string_view key, std::string& target, std::string_view expected = "a string",
              bool (*check)(std::string_view) = has_no_control_character);
  // Calls `use(element)` for each element of a list of strings that is not empty, or for a string alone.
  void one_or_more(std::string_view key, std::string_view expected, const std::function<bool(const std::string&)>& use);
  // Calls `use(element)` for each element of a list of strings.
  void strings(std::string_view key, std::string_view expected, const std::function<bool(const std::string&)>& use);
  void boolean(std::string_view key, bool& target);
  void integer(std::string_view key, std::size_t& target, std::int64_t least, std::int64_t most);
  void table(std::string_view key, std::string_view expected, const std::function<bool(const toml::table&)>& use);
  void require(std::string_view key) {
    if (table_ != nullptr && !table_->contains(key)) errors_.report(table_->source(), name_of(key), "is missing");
  }

  bool has(std::string_view key) const { return find(key) != nullptr; }

  // Reports a problem that involves several values, at the key, or at the table when the key is missing.
  void report(std::string_view key, std::string_view what);

  // Reports unknown keys. Call it when every key has been read.
  void finish();

 protected:
  const toml::node* find(std::string_view key) const { return table_ == nullptr ? nullptr : table_->get(key); }

 private:
  std::string name_of(std::string_view key) const {
    return "[" + name_ + "]" + (key.empty() ? "" : " ") + std::string(key);
  }

  TomlErrors& errors_;
  std::string name_;
  const toml::table* table_ = nullptr;
  std::set<std::string> known_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_TOML_READER_H_
