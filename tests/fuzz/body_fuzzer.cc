// SPDX-License-Identifier: MIT
// Bodies of deposits; the first line of the input is the Content-Type. The fields that are found are those of the body,
// the same deposit in another format has the same fields, and no answer that refuses one shows a value.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <pairport/service.h>

#include "core/base/ascii.h"
#include "deposit_values.h"
#include "input.h"
#include "render/http/body.h"
#include "render/scripts/quote.h"

namespace pairport::fuzz {
namespace {

// Occurs in values of the corpus and the dictionary, and in nothing that anyone may be shown.
constexpr std::string_view kCanary = "zQ7canary";

class FixedRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    for (std::uint8_t& byte : out) {
      state_ = state_ * 6364136223846793005U + 1442695040888963407U;
      byte = static_cast<std::uint8_t>(state_ >> 56);
    }
    return true;
  }

 private:
  std::uint64_t state_ = 1;
};

std::unique_ptr<BodyDecoder> new_decoder() {
  auto created = BodyDecoder::create();
  expect(created.ok(), "there is a decoder");
  return std::move(created).value();
}

// The strings of a deposit, by value.
struct Fields {
  std::array<std::optional<std::string>, kDepositFieldCount> values;

  explicit Fields(const DepositInput& input) {
    for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
      if (input.fields[i].kind == FieldInput::Kind::kString) values[i] = std::string(input.fields[i].value);
    }
  }
  friend bool operator==(const Fields&, const Fields&) = default;
};

// The WHATWG rules for urlencoded text once more; nothing when an escape is malformed.
std::optional<std::string> url_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return std::nullopt;
      decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

void check_urlencoded(std::string_view body, const BodyVerdict& verdict, const DepositInput& found) {
  std::array<int, kDepositFieldCount> counts{};
  std::array<std::string, kDepositFieldCount> values;
  bool good = true;
  while (!body.empty() && good) {
    const std::size_t end = std::min(body.find('&'), body.size());
    const std::string_view pair = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = url_decoded(pair.substr(0, equals));
    const auto value = url_decoded(pair.substr(std::min(equals + 1, pair.size())));
    good = name && value;
    for (std::size_t i = 0; good && i < kDepositFieldCount; ++i) {
      if (*name != kDepositFieldNames[i]) continue;
      ++counts[i];
      values[i] = *value;
    }
  }
  expect(good == (verdict.error == BodyError::kNone), "a malformed escape is an error, and nothing else");
  for (std::size_t i = 0; good && i < kDepositFieldCount; ++i) {
    const FieldInput& field = found.fields[i];
    const FieldInput::Kind kind = counts[i] == 0   ? FieldInput::Kind::kMissing
                                  : counts[i] == 1 ? FieldInput::Kind::kString
                                                   : FieldInput::Kind::kRepeated;
    expect(field.kind == kind, "a field is found as often as it is there");
    if (kind == FieldInput::Kind::kString) expect(field.value == values[i], "a field has its decoded value");
  }
}

std::string as_urlencoded(const Fields& fields) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string body;
  for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
    if (!fields.values[i]) continue;
    body.append("&").append(kDepositFieldNames[i]).append("=");
    for (const char c : *fields.values[i]) {
      const auto byte = static_cast<unsigned char>(c);
      body.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return body;
}

std::string as_json(const Fields& fields) {
  std::string body = "{\"note\":[1,{}]";
  for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
    if (!fields.values[i]) continue;
    std::string literal(max_quoted(fields.values[i]->size()), '\0');
    literal.resize(static_cast<std::size_t>(quote_json(*fields.values[i], literal.data()) - literal.data()));
    body.append(",\"").append(kDepositFieldNames[i]).append("\":").append(literal);
  }
  return body + "}";
}

std::string as_multipart(const Fields& fields) {
  std::string body;
  for (std::size_t i = 0; i < kDepositFieldCount; ++i) {
    if (!fields.values[i]) continue;
    body.append("--=_b\r\nContent-Disposition: form-data; name=\"").append(kDepositFieldNames[i]);
    body.append("\"\r\n\r\n").append(*fields.values[i]).append("\r\n");
  }
  return body + "--=_b--";
}

void check_other_formats(const Fields& fields) {
  static const std::unique_ptr<BodyDecoder> decoder = new_decoder();
  bool utf8 = true;
  bool without_boundary = true;
  bool any = false;
  for (const auto& value : fields.values) {
    if (!value) continue;
    any = true;
    utf8 = utf8 && is_utf8(*value);
    without_boundary = without_boundary && value->find("--=_b") == std::string::npos;
  }
  const auto expect_same = [&fields](std::string_view type, const std::string& body) {
    if (body.size() > kMaxBody) return;
    const Exact exact(body);
    DepositInput input;
    expect(decoder->decode(type, exact.view(), input).error == BodyError::kNone, "a body that we write is good");
    expect(Fields(input) == fields, "it has the same fields");
  };
  expect_same("application/x-www-form-urlencoded", as_urlencoded(fields));
  if (utf8) expect_same("application/json", as_json(fields));
  if (any && without_boundary) expect_same("multipart/form-data; boundary=\"=_b\"", as_multipart(fields));
}

class World {
 public:
  World() {
    ServiceOptions options;
    options.deposit_limit = {};
    auto created = Service::create(options, random_, now_);
    expect(created.ok(), "there is a service");
    service_ = std::move(created).value();
  }

  // The status, with the whole answer.
  int deposit(std::string_view type, std::string_view body, std::string_view accept, std::string& answer) {
    now_.monotonic_ms += 1'000'000;  // the last one is dead
    expect(service_->expire(now_, 100), "deposits expire");
    Request request;
    request.method = Method::kPost;
    request.target = "/";
    request.content_type = type;
    request.accept = accept;
    request.body = body;
    service_->handle(request, now_, response_);
    answer = std::string(response_.headers().wire()) + std::string(response_.extra_headers());
    for (const Fragment& fragment : response_.body()) answer.append(fragment.data, fragment.size);
    return response_.status();
  }

 private:
  FixedRandom random_;
  Now now_{1'000'000, 1'790'000'000};
  std::unique_ptr<Service> service_;
  Response response_;
};

void run(Input input) {
  static const std::unique_ptr<BodyDecoder> decoder = new_decoder();
  const std::string_view type = input.text_until("\n");
  const Exact exact(input.rest().substr(0, kMaxBody));
  const std::string_view body = exact.view();

  DepositInput found;
  const BodyVerdict verdict = decoder->decode(type, body, found);
  const bool good = verdict.error == BodyError::kNone;
  expect((verdict.error == BodyError::kMalformed) == !verdict.detail.empty(), "what is malformed has a reason");
  expect(is_printable(verdict.detail), "a reason is one line");

  const std::string_view media_type = trim(type.substr(0, type.find(';')));
  if (equals_ignoring_case(media_type, "application/x-www-form-urlencoded")) check_urlencoded(body, verdict, found);
  if (equals_ignoring_case(media_type, "multipart/form-data") && good) {
    for (const FieldInput& field : found.fields) {
      if (field.kind != FieldInput::Kind::kString || field.value.empty()) continue;
      expect(field.value.data() >= body.data() && field.value.data() + field.value.size() <= body.data() + body.size(),
             "a value of a multipart body is a part of it");
    }
  }
  DepositView deposit;
  const bool valid = good && validate(found, deposit).ok();
  if (valid) expect_valid(deposit);
  if (good) check_other_formats(Fields(found));

  static World world;
  for (const std::string_view accept : {"*/*", "application/json"}) {
    std::string answer;
    const int status = world.deposit(type, body, accept, answer);
    const int expected = verdict.error == BodyError::kUnsupportedType ? 415 : valid ? 200 : 400;
    expect(status == expected, "the service takes what decoder and validator take, and nothing else");
    expect(answer.find(kCanary) == std::string::npos, "an answer shows no value");
  }
  decoder->wipe();
}

}  // namespace
}  // namespace pairport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pairport::fuzz::run({data, size});
  return 0;
}
