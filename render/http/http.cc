// SPDX-License-Identifier: MIT
#include <pairport/http.h>

#include <string>

#include <pairport/secret_memory.h>

namespace pairport {

HeaderBlock::HeaderBlock(const std::vector<std::pair<std::string_view, std::string>>& headers) {
  std::string text;
  for (const auto& [name, value] : headers) text.append(name).append(": ").append(value).append("\r\n");
  wire_.assign(text.begin(), text.end());
  std::size_t position = 0;
  for (const auto& [name, value] : headers) {
    const std::string_view wire = this->wire();
    list_.push_back({wire.substr(position, name.size()), wire.substr(position + name.size() + 2, value.size())});
    position += name.size() + value.size() + 4;
  }
}

PathHandler::~PathHandler() = default;

const HeaderBlock Response::kNoHeaders{{}};

void Response::reset() noexcept {
  wipe(scratch_.data(), scratch_used_);
  scratch_used_ = 0;
  status_ = 0;
  route_ = Route::kOther;
  code_hash_ = 0;
  retry_after_ = 0;
  headers_ = &kNoHeaders;
  content_length_ = 0;
  fragment_count_ = 0;
  extra_headers_ = {};
  file_range_ = {};
  if (!is_pending()) return;
  pending_ = {};
  asked_ = {};
}

}  // namespace pairport
