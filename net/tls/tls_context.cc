// SPDX-License-Identifier: MIT
#include "net/tls/tls_context.h"

#include <utility>

#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "net/tls/mbedtls_bridge.h"
#include "net/tls/tls_credentials.h"

namespace pairport {

TlsCredentials::TlsCredentials(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
TlsCredentials::~TlsCredentials() = default;

TlsContext::TlsContext(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
TlsContext::~TlsContext() {
  // In a forked child: its destructor would wipe memory that only the parent has.
  if (!impl_->mark.is_here()) static_cast<void>(impl_.release());
}

Result<std::unique_ptr<TlsContext>> TlsContext::create(const TlsOptions& options, RandomSource& random,
                                                       SecretLevel minimum_level) {
  if (options.min_version == TlsVersion::kTls13 && !has_tls13()) {
    return Status(StatusCode::kInvalidArgument, library_version() + " has no TLS 1.3; use TLS 1.2, or mbedTLS 3.6");
  }
  if (options.lanes == 0) return Status(StatusCode::kInvalidArgument, "handshakes need at least one lane");
  if (!mbed::init()) return Status(StatusCode::kRandomFailed, "mbedTLS could not be initialised");
  auto impl = std::make_unique<Impl>(options, random);
  if (!impl->mark.set()) return StatusCode::kOutOfMemory;
  impl->plaintext = SecretBlock::map(kMaxPlaintext, minimum_level);
  if (!impl->plaintext) {
    return minimum_level == SecretLevel::kPlain ? StatusCode::kOutOfMemory : StatusCode::kMemoryNotLocked;
  }
  if (options.ticket_lifetime != 0 &&
      mbedtls_ssl_ticket_setup(&impl->ticket_keys, tls_random, &random, MBEDTLS_CIPHER_AES_256_GCM,
                               options.ticket_lifetime) != 0) {
    return Status(StatusCode::kRandomFailed, "no keys for session tickets");
  }
  return std::unique_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

Result<std::shared_ptr<const TlsCredentials>> TlsContext::load(std::span<const TlsCertificate> certificates) const {
  auto impl = std::make_unique<TlsCredentials::Impl>(impl_->options.lanes);
  Status status = impl->load(certificates, impl_->options, impl_->random,
                             impl_->options.ticket_lifetime != 0 ? &impl_->ticket_keys : nullptr);
  if (!status.ok()) return status;
  auto credentials = std::make_shared<TlsCredentials>(std::move(impl));
  credentials->not_after_ = credentials->impl_->not_after();
  credentials->first_to_expire_ = certificates[credentials->impl_->first_to_expire()].name;
  if (const auto index = credentials->impl_->only_rsa()) credentials->only_rsa_ = certificates[*index].name;
  return std::shared_ptr<const TlsCredentials>(std::move(credentials));
}

void TlsContext::use(std::shared_ptr<const TlsCredentials> credentials) noexcept {
  impl_->credentials = std::move(credentials);
}

const TlsCredentials* TlsContext::credentials() const noexcept {
  return impl_->credentials.get();
}

std::size_t TlsContext::lanes() const noexcept {
  return impl_->options.lanes;
}

bool TlsContext::has_tls13() noexcept {
  return mbed::kHasTls13;
}

std::string TlsContext::library_version() {
  std::array<char, 18> text{};
  mbedtls_version_get_string_full(text.data());
  return text.data();
}

}  // namespace pairport
