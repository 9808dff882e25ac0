// SPDX-License-Identifier: MIT
// Invariant: ok_and_date_ is the beginning of a 200 answer in the second date_seconds_.
#include "net/http1/connection_context.h"

#include <algorithm>
#include <utility>

#include "core/base/calendar.h"
#include "core/base/check.h"
#include "core/base/writer.h"

namespace pairport {

ConnectionContext::ConnectionContext(Service& service, const ConnectionLimits& limits, TrustedProxies trusted_proxies,
                                     AccessObserver* observer, std::optional<std::uint64_t> hsts_seconds) noexcept
    : service_(service),
      limits_(limits),
      trusted_proxies_(std::move(trusted_proxies)),
      observer_(observer),
      exchanges_(service.minimum_level()),
      heads_(service.minimum_level()),
      bodies_(service.minimum_level()),
      rests_(service.minimum_level()) {
  PAIRPORT_CHECK(limits.max_head_bytes <= kMaxHead && limits.max_headers <= kMaxHeaders &&
                 limits.max_body_bytes <= kMaxBody);
  if (!hsts_seconds) return;
  hsts_line_ =
      Writer(hsts_text_).text("Strict-Transport-Security: max-age=").number(*hsts_seconds).text("\r\n").written();
}

ConnectionContext::~ConnectionContext() {
  if (!service_.is_inherited()) return;
  exchanges_.forget_kept();
  heads_.forget_kept();
  bodies_.forget_kept();
  rests_.forget_kept();
}

std::string_view ConnectionContext::ok_and_date(const Now& now) noexcept {
  if (now.unix_seconds != date_seconds_) {
    // IMF-fixdate (RFC 9110 section 5.6.7). Not by strftime, because that depends on the locale.
    static constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
    static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const CalendarTime time = calendar_time(now.unix_seconds);
    std::array<char, 16> digits;
    const auto padded = [&digits](unsigned value, std::size_t count) {
      for (std::size_t i = count; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
      return std::string_view(digits.data(), count);
    };
    Writer out(ok_and_date_);
    out.text(kOkLine).text("Date: ").text(kDays.substr(time.weekday * std::size_t{3}, 3)).text(", ");
    out.text(padded(time.day, 2)).text(" ").text(kMonths.substr((time.month - 1) * std::size_t{3}, 3)).text(" ");
    out.text(padded(static_cast<unsigned>(time.year), 4)).text(" ").text(padded(time.hour, 2)).text(":");
    out.text(padded(time.minute, 2)).text(":").text(padded(time.second, 2)).text(" GMT\r\n");
    assert(out.written().size() == ok_and_date_.size());
    date_seconds_ = now.unix_seconds;
  }
  return {ok_and_date_.data(), ok_and_date_.size()};
}

std::string_view ConnectionContext::date_line(const Now& now) noexcept {
  return ok_and_date(now).substr(kOkLine.size());
}

void ConnectionContext::Exchange::describe_request(Method method, const ClientAddress& client,
                                                   const Now& now) noexcept {
  entry.method = method;
  entry.client = client;
  entry.route = response.route();
  entry.code_hash = response.code_hash();
  started_ms = now.monotonic_ms;
}

void ConnectionContext::Exchange::describe_answer(std::uint64_t sent, std::uint64_t sent_at_ms) noexcept {
  entry.status = response.status();
  entry.bytes = sent;
  entry.complete = sent == bytes;
  entry.duration_ms = std::max(sent_at_ms, started_ms) - started_ms;
}

}  // namespace pairport
