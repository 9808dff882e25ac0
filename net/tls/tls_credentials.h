// SPDX-License-Identifier: MIT
// The implementation of TlsCredentials: the state that a handshake on one lane needs.
#ifndef PAIRPORT_NET_TLS_CREDENTIALS_H_
#define PAIRPORT_NET_TLS_CREDENTIALS_H_

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

#include <pairport/code.h>
#include <pairport/status.h>
#include <pairport/tls.h>

#include "net/tls/mbedtls_bridge.h"

namespace pairport {

// A source of randomness in the form that mbedTLS calls; `context` is a RandomSource.
int tls_random(void* context, unsigned char* out, std::size_t size) noexcept;

// Whether a certificate for `pattern`, which may begin with `*.`, is valid for `host` (RFC 6125 section 6.4). The case
// of `host` does not matter. REQUIRES: no upper-case letter in `pattern`.
bool matches_host(std::string_view pattern, std::string_view host) noexcept;

class TlsCredentials::Impl {
 public:
  struct Lane;

  explicit Impl(std::size_t lanes);
  ~Impl();

  // `tickets` may be null. Else it outlives this object.
  Status load(std::span<const TlsCertificate> certificates, const TlsOptions& options, RandomSource& random,
              mbedtls_ssl_ticket_context* tickets);

  const mbedtls_ssl_config& config(std::size_t lane) const noexcept;
  // When the first certificate expires, and the index of that certificate.
  std::int64_t not_after() const noexcept { return not_after_; }
  std::size_t first_to_expire() const noexcept { return first_to_expire_; }
  // The index of the first certificate with an RSA key for whose names there is no ECDSA certificate; nothing when
  // there is none.
  std::optional<std::size_t> only_rsa() const noexcept;

 private:
  Status add(Lane& lane, const TlsCertificate& certificate, RandomSource& random);
  void note_names(const mbedtls_x509_crt& leaf);
  bool is_default(std::size_t index) const noexcept;

  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::vector<std::string>> names_;  // of each certificate
  std::vector<bool> is_rsa_;                     // each
  std::int64_t not_after_ = 0;
  std::size_t first_to_expire_ = 0;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_TLS_CREDENTIALS_H_
