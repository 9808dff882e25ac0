// SPDX-License-Identifier: MIT
// Invariant: code below converts every option outside of PAIRPORT_OPTIONS, in both directions.
#include "render/c/c_options.h"

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include <pairport/secret_memory.h>

#include "render/c/interop.h"

namespace pairport {
namespace {

static_assert(PAIRPORT_MEMORY_PLAIN == static_cast<int>(SecretLevel::kPlain));
static_assert(PAIRPORT_MEMORY_LOCKED == static_cast<int>(SecretLevel::kLocked));
static_assert(PAIRPORT_MEMORY_MEMFD_SECRET == static_cast<int>(SecretLevel::kMemfdSecret));

// The member of ServiceOptions for a setting. The last argument selects the type.
bool& member(ServiceOptions& options, const OptionRule& row, const int*) noexcept {
  return std::get<bool& (*)(ServiceOptions&)>(row.member)(options);
}
std::string& member(ServiceOptions& options, const OptionRule& row, const pairport_string*) noexcept {
  return std::get<std::string& (*)(ServiceOptions&)>(row.member)(options);
}
double& member(ServiceOptions& options, const OptionRule& row, const double*) noexcept {
  return std::get<double& (*)(ServiceOptions&)>(row.member)(options);
}
std::uint64_t& member(ServiceOptions& options, const OptionRule& row, const std::uint64_t*) noexcept {
  return std::get<std::uint64_t& (*)(ServiceOptions&)>(row.member)(options);
}

// Calls `use(member of the C structure, member of ServiceOptions)` for each setting.
template <typename C, typename Use>
void for_each_setting(C& c, ServiceOptions& options, Use&& use) {
  for (const OptionRule& row : option_rules()) {
#define PAIRPORT_USE(kind, name_in_c, text) \
  if (row.name == (text)) use(c.name_in_c, member(options, row, &c.name_in_c));
    PAIRPORT_OPTIONS(PAIRPORT_USE)
#undef PAIRPORT_USE
  }
}

struct StaticMember {
  pairport_string pairport_options::*c;
  std::string StaticDeposit::*cpp;
};
constexpr StaticMember kStaticDeposit[] = {{&pairport_options::static_code, &StaticDeposit::code},
#define PAIRPORT_FIELD(field, name, limit, required) {&pairport_options::static_##name, &StaticDeposit::name},
                                           PAIRPORT_DEPOSIT_FIELDS(PAIRPORT_FIELD, PAIRPORT_FIELD)
#undef PAIRPORT_FIELD
};

}  // namespace

pairport_options default_options() {
  static ServiceOptions defaults;  // C strings point into it, and it never changes
  pairport_options options{};
  options.size = sizeof(options);
  const auto set = [](auto& c, const auto& cpp) {
    if constexpr (std::is_same_v<decltype(c), pairport_string&>) {
      c = string_of(cpp);
    } else {
      c = cpp;
    }
  };
  for_each_setting(options, defaults, set);
  options.serve_packages = defaults.serve_packages ? 1 : 0;
  options.hash_codes = defaults.hash_codes ? 1 : 0;
  options.minimum_memory = static_cast<int>(defaults.store.minimum_level);
  return options;
}

bool convert(const pairport_options& from, ServiceOptions& to) {
  bool valid = true;
  const auto text = [&valid](const pairport_string& value) {
    valid = valid && is_string(value);
    return valid ? std::string(view(value)) : std::string();
  };
  const auto set = [&text](const auto& c, auto& cpp) {
    if constexpr (std::is_same_v<decltype(c), const pairport_string&>) {
      cpp = text(c);
    } else if constexpr (std::is_same_v<decltype(cpp), bool&>) {
      cpp = c != 0;
    } else {
      cpp = c;
    }
  };
  for_each_setting(from, to, set);
  to.serve_packages = from.serve_packages != 0;
  to.hash_codes = from.hash_codes != 0;
  if (from.minimum_memory < PAIRPORT_MEMORY_PLAIN || from.minimum_memory > PAIRPORT_MEMORY_MEMFD_SECRET) return false;
  to.store.minimum_level = static_cast<SecretLevel>(from.minimum_memory);
  if (from.static_code.size != 0) {
    StaticDeposit& deposit = to.static_deposit.emplace();
    for (const auto& [c, cpp] : kStaticDeposit) deposit.*cpp = text(from.*c);
  }
  if (from.digest_count != 0 && from.digests == nullptr) return false;
  for (std::size_t i = 0; i < from.digest_count; ++i) {
    to.installer.sha256[text(from.digests[i].file)] = text(from.digests[i].sha256);
  }
  if (from.load_template != nullptr) {
    to.templates = [load = from.load_template,
                    user = from.template_user](std::string_view name) -> std::optional<std::string> {
      pairport_string found{};
      if (load(user, string_of(name), &found) == 0 || !is_string(found)) return std::nullopt;
      return std::string(view(found));
    };
  }
  return valid;
}

}  // namespace pairport

extern "C" {

int pairport_options_init(pairport_options* options, size_t size) noexcept {
  return pairport::init_options(options, size, pairport::kFirstOptions, pairport::default_options);
}

}  // extern "C"
