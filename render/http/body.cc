// SPDX-License-Identifier: MIT
// Invariants: decoded values point into the body (multipart) or into buffers of Impl (JSON strings, decoded urlencoded
// text). wipe() overwrites all buffers of Impl, and they never move after creation.
#include "render/http/body.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <vector>

#include <simdjson.h>

#include "core/base/ascii.h"
#include "core/base/check.h"
#include "core/deposit/deposit_fields.h"
#include "core/memory/secret_block.h"

namespace pairport {
namespace {

constexpr BodyVerdict malformed(std::string_view detail) noexcept {
  return {BodyError::kMalformed, detail};
}

// The value of a parameter of a header such as `multipart/form-data; boundary="x"` (RFC 9110 section 5.6.6), without
// its quotes. Backslash escapes are not decoded: no relevant name or boundary has any.
std::optional<std::string_view> parameter(std::string_view header, std::string_view name) noexcept {
  std::size_t position = header.find(';');
  while (position < header.size()) {
    ++position;
    const std::size_t equals = header.find_first_of("=;", position);
    if (equals == std::string_view::npos) return std::nullopt;
    if (header[equals] == ';') {
      position = equals;
      continue;
    }
    const std::string_view key = trim(header.substr(position, equals - position));
    std::string_view value;
    if (equals + 1 < header.size() && header[equals + 1] == '"') {
      std::size_t end = equals + 2;
      while (end < header.size() && header[end] != '"') end += header[end] == '\\' ? 2U : 1U;
      if (end >= header.size()) return std::nullopt;
      value = header.substr(equals + 2, end - equals - 2);
      position = header.find(';', end);
    } else {
      position = header.find(';', equals);
      value = trim(header.substr(equals + 1, position == std::string_view::npos ? position : position - equals - 1));
    }
    if (equals_ignoring_case(key, name)) return value;
  }
  return std::nullopt;
}

void set(DepositInput& input, std::string_view name, FieldInput field) noexcept {
  const DepositFieldRow* const row = find_field(name);
  if (row == nullptr) return;
  FieldInput& known = input[row->field];
  if (known.kind != FieldInput::Kind::kMissing) field = {FieldInput::Kind::kRepeated, {}};
  known = field;
}

void set(DepositInput& input, std::string_view name, std::string_view value) noexcept {
  set(input, name, {FieldInput::Kind::kString, value});
}

// RFC 7578, RFC 2046 section 5.1. Values are views of `body`.
BodyVerdict decode_multipart(std::string_view content_type, std::string_view body, DepositInput& input) noexcept {
  const std::optional<std::string_view> boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > 70) {
    return malformed("multipart/form-data needs a boundary parameter of 1 to 70 characters in Content-Type");
  }
  std::array<char, 4 + 70> delimiter_text{'\r', '\n', '-', '-'};
  std::copy(boundary->begin(), boundary->end(), delimiter_text.begin() + 4);
  const std::string_view delimiter(delimiter_text.data(), 4 + boundary->size());

  // For the position behind a delimiter: 0 when the delimiter is the closing one, the start of the next line when the
  // delimiter ends its line, else nothing.
  const auto after_delimiter = [&body](std::size_t position) -> std::optional<std::size_t> {
    if (body.substr(position).starts_with("--")) return 0;
    position = std::min(body.find_first_not_of(" \t", position), body.size());
    if (!body.substr(position).starts_with("\r\n")) return std::nullopt;
    return position + 2;
  };
  // The next delimiter at or behind `position`. Text that only begins like a delimiter is content.
  std::size_t found = 0;
  const auto find_delimiter = [&](std::size_t position) -> std::optional<std::size_t> {
    for (found = body.find(delimiter, position); found != std::string_view::npos;
         found = body.find(delimiter, found + 1)) {
      if (const auto next = after_delimiter(found + delimiter.size())) return next;
    }
    return std::nullopt;
  };

  std::optional<std::size_t> next;
  if (body.starts_with(delimiter.substr(2))) next = after_delimiter(delimiter.size() - 2);
  if (!next) next = find_delimiter(0);
  if (!next) return malformed("the boundary named in Content-Type does not occur in the body");

  while (*next != 0) {
    std::size_t position = *next;
    std::optional<std::string_view> name;
    bool has_disposition = false;
    while (!body.substr(position).starts_with("\r\n")) {
      const std::size_t end = body.find("\r\n", position);
      if (end == std::string_view::npos) return malformed("the multipart body ends inside the header of a part");
      const std::string_view line = body.substr(position, end - position);
      position = end + 2;
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) return malformed("a header line of a multipart part has no colon");
      const std::string_view key = line.substr(0, colon);
      const std::string_view value = trim(line.substr(colon + 1));
      if (equals_ignoring_case(key, "content-disposition")) {
        // Which of two counts is a matter of taste, like the value of a repeated key.
        if (has_disposition) return malformed("a multipart part has more than one Content-Disposition");
        has_disposition = true;
        if (!equals_ignoring_case(trim(value.substr(0, value.find(';'))), "form-data")) {
          return malformed("a multipart part is not form-data");
        }
        name = parameter(value, "name");
      } else if (equals_ignoring_case(key, "content-transfer-encoding") && !equals_ignoring_case(value, "binary") &&
                 !equals_ignoring_case(value, "8bit") && !equals_ignoring_case(value, "7bit")) {
        return malformed("a multipart part has a Content-Transfer-Encoding other than binary, 8bit or 7bit");
      }
    }
    if (!name) return malformed("a multipart part has no Content-Disposition with a name");
    // The line break that ends the header of the part may also begin the delimiter; the value is empty then.
    const std::size_t content = position + 2;
    next = find_delimiter(position);
    if (!next) return malformed("the multipart body ends before its closing boundary");
    set(input, *name, found < content ? std::string_view() : body.substr(content, found - content));
  }
  return {};
}

}  // namespace

struct BodyDecoder::Impl {
  simdjson::dom::parser parser;
  simdjson::dom::document document;
  std::vector<std::string_view> keys;
  // A copy of the body with the padding that simdjson reads, or the decoded urlencoded text.
  SecretBlock text;
  std::size_t text_used = 0;
  bool json_used = false;

  // simdjson's buffer for unescaped strings; a document of n bytes fills at most 5/3 of that, and the padding.
  static constexpr std::size_t string_bytes(std::size_t size) noexcept {
    return 5 * size / 3 + simdjson::SIMDJSON_PADDING;
  }
  // The parser keeps numbers in its tape, and a client may send a password of digits without quotes. A document of n
  // bytes fills at most n + 3 words (simdjson sizes the tape by that).
  static constexpr std::size_t tape_bytes(std::size_t size) noexcept { return (size + 3) * sizeof(std::uint64_t); }
};

BodyDecoder::BodyDecoder(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
BodyDecoder::~BodyDecoder() {
  wipe();
}

Result<std::unique_ptr<BodyDecoder>> BodyDecoder::create(SecretLevel minimum) noexcept {
  std::unique_ptr<Impl> impl(new (std::nothrow) Impl);
  if (impl == nullptr) return StatusCode::kOutOfMemory;
  impl->text = SecretBlock::map(kMaxBody + simdjson::SIMDJSON_PADDING, minimum);
  if (!impl->text) {
    return minimum == SecretLevel::kPlain ? StatusCode::kOutOfMemory : StatusCode::kMemoryNotLocked;
  }
  // A low depth: no deposit needs deep nesting, and its cost must stay small.
  if (impl->parser.allocate(kMaxBody, 64) != simdjson::SUCCESS ||
      impl->document.allocate(kMaxBody) != simdjson::SUCCESS) {
    return StatusCode::kOutOfMemory;
  }
  const SecretLevel strings = lock_in_place(impl->document.string_buf.get(), Impl::string_bytes(kMaxBody));
  const SecretLevel tape = lock_in_place(impl->document.tape.get(), Impl::tape_bytes(kMaxBody));
  if (minimum != SecretLevel::kPlain && std::min(strings, tape) == SecretLevel::kPlain) {
    return StatusCode::kMemoryNotLocked;
  }
  std::unique_ptr<BodyDecoder> decoder(new (std::nothrow) BodyDecoder(std::move(impl)));
  if (decoder == nullptr) return StatusCode::kOutOfMemory;
  return decoder;
}

void BodyDecoder::wipe() noexcept {
  pairport::wipe(impl_->text.data(), impl_->text_used);
  if (impl_->json_used) {
    pairport::wipe(impl_->document.string_buf.get(), Impl::string_bytes(impl_->text_used));
    pairport::wipe(impl_->document.tape.get(), Impl::tape_bytes(impl_->text_used));
  }
  impl_->text_used = 0;
  impl_->json_used = false;
  impl_->keys.clear();
}

BodyVerdict BodyDecoder::decode(std::string_view content_type, std::string_view body, DepositInput& input) noexcept {
  PAIRPORT_CHECK(body.size() <= kMaxBody);
  wipe();
  input = {};
  const std::string_view type = trim(content_type.substr(0, content_type.find(';')));
  if (equals_ignoring_case(type, "application/json")) return decode_json(body, input);
  if (equals_ignoring_case(type, "multipart/form-data")) return decode_multipart(content_type, body, input);
  if (equals_ignoring_case(type, "application/x-www-form-urlencoded")) return decode_urlencoded(body, input);
  return {BodyError::kUnsupportedType, {}};
}

BodyVerdict BodyDecoder::decode_json(std::string_view body, DepositInput& input) noexcept {
  Impl& self = *impl_;
  // Some versions of simdjson skip a byte order mark, and some do not.
  if (body.starts_with("\xEF\xBB\xBF")) {
    return malformed("the JSON body begins with a byte order mark; send UTF-8 without one");
  }
  auto* text = reinterpret_cast<std::uint8_t*>(self.text.data());
  std::copy(body.begin(), body.end(), text);
  self.text_used = body.size();
  self.json_used = true;
  auto parsed = self.parser.parse_into_document(self.document, text, body.size(), false);
  switch (parsed.error()) {
    case simdjson::SUCCESS:
      break;
    case simdjson::MEMALLOC:
      return {BodyError::kOutOfMemory, {}};
    case simdjson::EMPTY:
      return malformed("the body is empty; expected a JSON object");
    case simdjson::UTF8_ERROR:
      return malformed("the JSON body is not valid UTF-8");
    case simdjson::DEPTH_ERROR:
      return malformed("the JSON body is nested too deeply; expected a flat JSON object");
    default:
      return malformed("the body is not valid JSON; expected one JSON object and nothing behind it");
  }
  simdjson::dom::object object;
  if (parsed.get_object().get(object) != simdjson::SUCCESS) return malformed("the JSON body is not an object");

  for (const simdjson::dom::key_value_pair pair : object) {
    std::string_view value;
    if (pair.value.get_string().get(value) == simdjson::SUCCESS) {
      set(input, pair.key, value);
    } else {
      set(input, pair.key, {FieldInput::Kind::kNotAString, {}});
    }
    try {
      self.keys.push_back(pair.key);
    } catch (const std::bad_alloc&) {
      return {BodyError::kOutOfMemory, {}};
    }
  }
  // Parsers differ in the meaning of a repeated key, so report it.
  std::sort(self.keys.begin(), self.keys.end());
  for (auto key = self.keys.begin(); (key = std::adjacent_find(key, self.keys.end())) != self.keys.end(); ++key) {
    const bool reported_as_field = find_field(*key) != nullptr;
    if (!reported_as_field) return malformed("the JSON body has the same key more than once");
  }
  return {};
}

// WHATWG URL, application/x-www-form-urlencoded parsing, but a malformed escape is an error.
BodyVerdict BodyDecoder::decode_urlencoded(std::string_view body, DepositInput& input) noexcept {
  Impl& self = *impl_;
  char* out = reinterpret_cast<char*>(self.text.data());
  // Decoded text is never longer than the body. Set this before decoding, so that wipe() also reaches the text before a
  // malformed escape.
  self.text_used = body.size();
  // Decodes up to `terminator` or the end; false for a malformed escape.
  const auto decode_until = [&](std::string_view& rest, std::string_view terminators, std::string_view& decoded) {
    char* const begin = out;
    std::size_t i = 0;
    for (; i < rest.size() && terminators.find(rest[i]) == std::string_view::npos; ++i) {
      if (rest[i] == '+') {
        *out++ = ' ';
      } else if (rest[i] == '%') {
        const int byte = hex_byte(rest, i + 1);
        if (byte < 0) return false;
        *out++ = static_cast<char>(byte);
        i += 2;
      } else {
        *out++ = rest[i];
      }
    }
    decoded = {begin, static_cast<std::size_t>(out - begin)};
    rest.remove_prefix(i);
    return true;
  };

  while (!body.empty()) {
    std::string_view name;
    std::string_view value;
    bool good = decode_until(body, "=&", name);
    if (good && body.starts_with('=')) {
      body.remove_prefix(1);
      good = decode_until(body, "&", value);
    }
    if (!good) return malformed("the urlencoded body has a malformed % escape; a literal % is written %25");
    if (!body.empty()) body.remove_prefix(1);
    set(input, name, value);
  }
  return {};
}

}  // namespace pairport
