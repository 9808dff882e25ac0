// SPDX-License-Identifier: MIT
// The state that TLS connections share: certificates, ticket keys and buffers for records.
#ifndef PAIRPORT_NET_TLS_CONTEXT_H_
#define PAIRPORT_NET_TLS_CONTEXT_H_

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

#include <mbedtls/ssl_ticket.h>

#include <pairport/tls.h>

#include "core/memory/process_mark.h"
#include "core/memory/secret_block.h"

namespace pairport {

// RFC 8446 section 5.1 and 5.2, RFC 5246 section 6.2: a header of five bytes, and at most 2^14 bytes of plaintext,
// which TLS 1.2 may expand by 2048.
inline constexpr std::size_t kRecordHeader = 5;
inline constexpr std::size_t kMaxPlaintext = 16 * 1024;
inline constexpr std::size_t kMaxRecord = kRecordHeader + kMaxPlaintext + 2048;

// Bytes that one of our records adds to its plaintext at most: header, explicit nonce and tag in TLS 1.2 (29 bytes);
// header, type, padding to a multiple of 16 and tag in TLS 1.3 (37 bytes).
inline constexpr std::size_t kOverhead = 40;
// One write sends two records of the greatest size and some small ones before them.
inline constexpr std::size_t kOutput = 2 * (kMaxPlaintext + kOverhead) + 1024;

// Ciphertext that waits to be read: an incomplete record at most, plus the bytes of one on_input().
struct TlsConnection::Input {
  std::size_t size = 0;
  std::array<char, kMaxRecord + TlsConnection::kMaxInput> bytes;
};

// Ciphertext that waits to be sent.
struct TlsConnection::Output {
  std::size_t begin = 0;
  std::size_t size = 0;  // from the start of `bytes`, sent bytes included
  std::array<char, kOutput> bytes;

  bool empty() const noexcept { return begin == size; }
  std::size_t room() const noexcept { return bytes.size() - size; }
};

// One thread at a time.
class TlsContext::Impl {
 public:
  // Buffers that are kept for the next connections.
  static constexpr std::size_t kKeptBuffers = 64;

  Impl(const TlsOptions& tls_options, RandomSource& random_source) noexcept
      : options(tls_options), random(random_source) {
    mbedtls_ssl_ticket_init(&ticket_keys);
  }
  ~Impl() { mbedtls_ssl_ticket_free(&ticket_keys); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::unique_ptr<TlsConnection::Output> take_output() noexcept {
    if (kept == 0) return std::unique_ptr<TlsConnection::Output>(new (std::nothrow) TlsConnection::Output);
    return std::move(outputs[--kept]);
  }
  void give_back(std::unique_ptr<TlsConnection::Output> output) noexcept {
    if (output == nullptr || kept == outputs.size()) return;
    output->begin = output->size = 0;
    outputs[kept++] = std::move(output);
  }

  const TlsOptions options;
  RandomSource& random;
  ProcessMark mark;  // of the process that owns `plaintext`
  mbedtls_ssl_ticket_context ticket_keys;
  std::shared_ptr<const TlsCredentials> credentials;
  SecretBlock plaintext;  // of the record that is being read
  std::array<std::unique_ptr<TlsConnection::Output>, kKeptBuffers> outputs;
  std::size_t kept = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_TLS_CONTEXT_H_
