// SPDX-License-Identifier: MIT
// The objects that connections take from their ConnectionContext: buffers of requests, and unfinished answers.
#ifndef PAIRPORT_NET_CONNECTION_CONTEXT_H_
#define PAIRPORT_NET_CONNECTION_CONTEXT_H_

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <pairport/connection.h>

#include "core/base/check.h"
#include "core/memory/secret_pool.h"
#include "net/http1/head_guard.h"

namespace pairport {

// Text in a buffer of fixed size. It is wiped when the text is removed.
template <std::size_t kCapacity>
struct Buffer {
  std::size_t size = 0;
  std::array<char, kCapacity> bytes;

  ~Buffer() { clear(); }
  std::string_view view() const noexcept { return {bytes.data(), size}; }
  void append(std::string_view text) noexcept {
    PAIRPORT_CHECK(text.size() <= kCapacity - size);
    if (!text.empty()) std::memcpy(bytes.data() + size, text.data(), text.size());  // an empty view may be null
    size += text.size();
  }
  // For a literal: the compiler knows its size.
  template <std::size_t kSize>
  void append(const char (&text)[kSize]) noexcept {
    PAIRPORT_CHECK(kSize - 1 <= kCapacity - size);
    std::memcpy(bytes.data() + size, text, kSize - 1);
    size += kSize - 1;
  }
  void append(std::uint64_t number) noexcept {
    size = static_cast<std::size_t>(std::to_chars(bytes.data() + size, bytes.data() + kCapacity, number).ptr -
                                    bytes.data());
  }
  // Keeps the last `count` bytes and moves them to the front.
  void keep_last(std::size_t count) noexcept {
    std::memmove(bytes.data(), bytes.data() + size - count, count);
    wipe(bytes.data() + count, size - count);
    size = count;
  }
  void truncate(std::size_t count) noexcept {
    wipe(bytes.data() + count, size - count);
    size = count;
  }
  void clear() noexcept { truncate(0); }
};

// Acquires a buffer unless there is one; false when there is no memory.
template <typename Pointer, typename Pool>
bool acquire(Pointer& buffer, Pool& pool) noexcept {
  if (buffer == nullptr) buffer = pool.acquire();
  return buffer != nullptr;
}

// An answer, its head and its entry in the access log.
struct ConnectionContext::Exchange {
  Response response;
  Buffer<1536> head;
  SecretPool<Exchange>::Pointer next;  // the next answer
  // Only for an observer.
  AccessEntry entry;
  std::uint64_t started_ms = 0;
  std::uint64_t bytes = 0;  // of the whole answer

  void describe_request(Method method, const ClientAddress& client, const Now& now) noexcept;
  // `sent`: bytes of the answer that were sent, the last of them at `sent_at_ms`.
  void describe_answer(std::uint64_t sent, std::uint64_t sent_at_ms) noexcept;
  // Facts about the connection that the head of an answer states.
  struct Terms {
    bool secure;
    bool keep_alive;
    bool http_1_0;
  };
  // Writes the status line and the headers of the response.
  void write_head(ConnectionContext& context, const Terms& terms, const Now& now) noexcept;

  // In the first exchange of a list: the output of the whole list. Each fragment is constructed when it is added,
  // because clearing the array for each answer would be the longest write of many answers.
  Fragment* fragments() noexcept { return reinterpret_cast<Fragment*>(fragment_bytes.data()); }
  static constexpr std::size_t kMaxOutput = Connection::kMaxBatch * (1 + Response::kMaxFragments);
  alignas(Fragment) std::array<std::byte, kMaxOutput * sizeof(Fragment)> fragment_bytes;
};

struct ConnectionContext::Head : Buffer<kMaxHead> {};
struct ConnectionContext::Body : Buffer<kMaxBody> {};
struct ConnectionContext::Rest : Buffer<Connection::kMaxInput> {};

// Inlined into its one caller: a call would cost thirty instructions for each answer.
[[gnu::always_inline]] inline void ConnectionContext::Exchange::write_head(ConnectionContext& context,
                                                                           const Terms& terms,
                                                                           const Now& now) noexcept {
  if (response.status() == 200) {
    head.append(context.ok_and_date(now));
  } else {
    head.append("HTTP/1.1 ");
    head.append(static_cast<std::uint64_t>(response.status()));
    head.append(" ");
    head.append(reason_phrase(response.status()));
    head.append("\r\n");
    head.append(context.date_line(now));
  }
  head.append(response.headers().wire());
  head.append(response.extra_headers());
  if (terms.secure) head.append(context.hsts_line_);
  if (response.has_content_length()) {
    head.append("Content-Length: ");
    head.append(response.content_length());
    head.append("\r\n");
  }
  if (response.retry_after() != 0) {
    head.append("Retry-After: ");
    head.append(response.retry_after());
    head.append("\r\n");
  }
  if (!terms.keep_alive) {
    head.append("Connection: close\r\n");
  } else if (terms.http_1_0) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append("\r\n");
}

}  // namespace pairport

#endif  // PAIRPORT_NET_CONNECTION_CONTEXT_H_
