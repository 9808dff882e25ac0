// SPDX-License-Identifier: MIT
#include "net/program/toml_reader.h"

#include <algorithm>

namespace pairport {
namespace {

// A message of toml++ without its quotations of the file, which may be a part of a password.
std::string_view without_quotations(std::string_view description) {
  description = description.substr(0, description.find(", saw "));
  static constexpr std::string_view kExpected = "expected ";  // toml++ quotes only its own words behind this
  const std::string_view before = description.substr(0, description.find('\''));
  if (before.size() == description.size() || before.ends_with(kExpected)) return description;
  return before.substr(0, before.find_last_not_of(": ") + 1);
}

}  // namespace

bool has_no_control_character(std::string_view text) noexcept {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::optional<toml::table> parse_toml(std::string_view text, std::string_view file_name, TomlErrors& errors) {
  try {
    return toml::parse(text, file_name);
  } catch (const toml::parse_error& error) {
    errors.report(error.source(), "", "not valid TOML: " + std::string(without_quotations(error.description())));
    return std::nullopt;
  }
}

void TomlErrors::report(const toml::source_region& where, std::string_view key, std::string_view what) {
  std::string line = file_name_;
  if (where.begin.line != 0) line += ":" + std::to_string(where.begin.line);
  line += ": ";
  if (!key.empty()) {
    // A quoted key may hold any character.
    for (const char c : key) line += has_no_control_character({&c, 1}) ? c : '?';
    line += ": ";
  }
  errors_.emplace(where.begin.line, line.append(what));
}

std::string TomlErrors::text() const {
  std::string text;
  for (const auto& [number, line] : errors_) text.append(text.empty() ? "" : "\n").append(line);
  return text;
}

TomlSection::TomlSection(TomlErrors& errors, const toml::table& root, std::string_view name)
    : errors_(errors), name_(name) {
  const toml::node* node = root.get(name);
  if (node == nullptr) return;
  table_ = node->as_table();
  if (table_ == nullptr) errors_.report(node->source(), "[" + name_ + "]", "expected a table");
}

void TomlSection::string(std::string_view key, std::string& target, std::string_view expected,
                         bool (*check)(std::string_view)) {
  read<std::string>(key, expected, [&](const std::string& value) {
    target = value;
    return check(value);
  });
}

void TomlSection::one_or_more(std::string_view key, std::string_view expected,
                              const std::function<bool(const std::string&)>& use) {
  if (const toml::node* node = find(key); node != nullptr && node->is_array() && !node->as_array()->empty()) {
    return strings(key, expected, use);
  }
  read<std::string>(key, expected, use);
}

void TomlSection::strings(std::string_view key, std::string_view expected,
                          const std::function<bool(const std::string&)>& use) {
  known_.insert(std::string(key));
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const toml::array* list = node->as_array();
  const bool good = list != nullptr && std::all_of(list->begin(), list->end(), [&](const toml::node& element) {
                      const auto text = element.value<std::string>();
                      return text && use(*text);
                    });
  if (!good) errors_.report(node->source(), name_of(key), "expected " + std::string(expected));
}

void TomlSection::boolean(std::string_view key, bool& target) {
  read<bool>(key, "true or false", [&](bool value) {
    target = value;
    return true;
  });
}

void TomlSection::integer(std::string_view key, std::size_t& target, std::int64_t least, std::int64_t most) {
  read<std::int64_t>(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most),
                     [&](std::int64_t value) {
                       target = static_cast<std::size_t>(std::max<std::int64_t>(value, 0));
                       return value >= least && value <= most;
                     });
}

void TomlSection::table(std::string_view key, std::string_view expected,
                        const std::function<bool(const toml::table&)>& use) {
  known_.insert(std::string(key));
  const toml::node* node = find(key);
  if (node == nullptr) return;
  const toml::table* table = node->as_table();
  if (table == nullptr || !use(*table))
    errors_.report(node->source(), name_of(key), "expected " + std::string(expected));
}

void TomlSection::report(std::string_view key, std::string_view what) {
  const toml::node* node = find(key);
  if (node == nullptr) node = table_;
  errors_.report(node == nullptr ? toml::source_region{} : node->source(), name_of(key), what);
}

void TomlSection::finish() {
  if (table_ == nullptr) return;
  for (const auto& [key, node] : *table_) {
    if (known_.contains(std::string(key.str()))) continue;
    std::string list;
    for (const std::string& name : known_) list += (list.empty() ? "" : ", ") + name;
    errors_.report(key.source(), name_of(key.str()), "there is no such key; [" + name_ + "] has " + list);
  }
}

}  // namespace pairport
