// SPDX-License-Identifier: MIT
// Invariant: every lane has its own copies of the same certificates in the same order. In mbedTLS, using a key changes
// the key and its group (blinding values, precomputed points), sometimes under a lock and sometimes not.
#include "net/tls/tls_credentials.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <mbedtls/error.h>
#include <mbedtls/pem.h>

#include <pairport/secret_memory.h>

#include "core/base/ascii.h"
#include "core/base/calendar.h"

namespace pairport {
namespace {

// Shorter keys are disallowed since 2014 (NIST SP 800-57), and no current client accepts them.
constexpr std::size_t kMinRsaBits = 2048;

std::string error_text(int error) {
  std::array<char, 128> text{};
  mbedtls_strerror(error, text.data(), text.size());
  return text.data();
}

Status bad(const TlsCertificate& certificate, const std::string& what) {
  return {StatusCode::kInvalidArgument, std::string(certificate.name) + ": " + what};
}

// A PEM text with the terminating zero that mbedTLS counts as a part of it. Wiped on destruction.
class PemText {
 public:
  explicit PemText(std::string_view text) : bytes_(text.size() + 1) {
    std::copy(text.begin(), text.end(), bytes_.begin());
  }
  ~PemText() { wipe(bytes_.data(), bytes_.size()); }
  PemText(const PemText&) = delete;
  PemText& operator=(const PemText&) = delete;

  const unsigned char* data() const noexcept { return bytes_.data(); }
  std::size_t size() const noexcept { return bytes_.size(); }

 private:
  std::vector<unsigned char> bytes_;
};

std::int64_t to_unix(const mbedtls_x509_time& time) noexcept {
  return unix_seconds({.year = time.year,
                       .month = static_cast<unsigned>(time.mon),
                       .day = static_cast<unsigned>(time.day),
                       .hour = static_cast<unsigned>(time.hour),
                       .minute = static_cast<unsigned>(time.min),
                       .second = static_cast<unsigned>(time.sec)});
}

}  // namespace

int tls_random(void* context, unsigned char* out, std::size_t size) noexcept {
  static constexpr int kNoEntropy = -0x0034;  // MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED
  return static_cast<RandomSource*>(context)->fill({out, size}) ? 0 : kNoEntropy;
}

bool matches_host(std::string_view pattern, std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (pattern.starts_with("*.")) {
    // The asterisk matches exactly one complete label.
    const std::size_t dot = host.find('.');
    if (dot == std::string_view::npos || dot == 0) return false;
    pattern.remove_prefix(1);
    host.remove_prefix(dot);
  }
  return equals_ignoring_case(host, pattern);
}

struct TlsCredentials::Impl::Lane {
  struct Certificate {
    Certificate() noexcept {
      mbedtls_x509_crt_init(&chain);
      mbedtls_pk_init(&key);
    }
    ~Certificate() {
      mbedtls_x509_crt_free(&chain);
      mbedtls_pk_free(&key);
    }
    Certificate(const Certificate&) = delete;
    Certificate& operator=(const Certificate&) = delete;

    mbedtls_x509_crt chain;
    mbedtls_pk_context key;
  };

  explicit Lane(const Impl& impl) noexcept : owner(impl) { mbedtls_ssl_config_init(&config); }
  ~Lane() { mbedtls_ssl_config_free(&config); }
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // Chooses certificates for the server name that a client has sent (RFC 6066 section 3). When several certificates
  // have the name, with keys of different types, the cipher suite decides.
  static int choose(void* self, mbedtls_ssl_context* ssl, const unsigned char* name, std::size_t size) noexcept {
    auto& lane = *static_cast<Lane*>(self);
    const std::string_view host(reinterpret_cast<const char*>(name), size);
    for (std::size_t i = 0; i < lane.certificates.size(); ++i) {
      const std::vector<std::string>& names = lane.owner.names_[i];
      if (std::none_of(names.begin(), names.end(), [&](const std::string& own) { return matches_host(own, host); })) {
        continue;
      }
      Certificate& certificate = *lane.certificates[i];
      if (const int error = mbedtls_ssl_set_hs_own_cert(ssl, &certificate.chain, &certificate.key); error != 0) {
        return error;
      }
    }
    return 0;
  }

  const Impl& owner;
  std::vector<std::unique_ptr<Certificate>> certificates;
  mbedtls_ssl_config config;
};

TlsCredentials::Impl::Impl(std::size_t lanes) {
  for (std::size_t i = 0; i < lanes; ++i) lanes_.push_back(std::make_unique<Lane>(*this));
}

TlsCredentials::Impl::~Impl() = default;

const mbedtls_ssl_config& TlsCredentials::Impl::config(std::size_t lane) const noexcept {
  return lanes_[lane]->config;
}

Status TlsCredentials::Impl::load(std::span<const TlsCertificate> certificates, const TlsOptions& options,
                                  RandomSource& random, mbedtls_ssl_ticket_context* tickets) {
  if (certificates.empty()) return {StatusCode::kInvalidArgument, "there is no certificate"};
  for (const std::unique_ptr<Lane>& lane : lanes_) {
    mbedtls_ssl_config& config = lane->config;
    if (mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0) {
      return StatusCode::kOutOfMemory;
    }
    mbedtls_ssl_conf_rng(&config, tls_random, &random);
    mbed::set_versions(config, options.min_version == TlsVersion::kTls13);
    mbed::set_groups(config);
    mbedtls_ssl_conf_ciphersuites(&config, mbed::kSuites);
#ifdef MBEDTLS_SSL_RENEGOTIATION
    mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
    static const char* const kProtocols[] = {"http/1.1", nullptr};
    if (mbedtls_ssl_conf_alpn_protocols(&config, const_cast<const char**>(kProtocols)) != 0) {
      return StatusCode::kInvalidArgument;
    }
    if (tickets != nullptr) {
      mbedtls_ssl_conf_session_tickets_cb(&config, mbedtls_ssl_ticket_write, mbedtls_ssl_ticket_parse, tickets);
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
      mbedtls_ssl_conf_new_session_tickets(&config, 1);
#endif
    }
    mbedtls_ssl_conf_sni(&config, Lane::choose, lane.get());
    for (const TlsCertificate& certificate : certificates) {
      if (Status status = add(*lane, certificate, random); !status.ok()) return status;
    }
    for (std::size_t i = 0; i < certificates.size(); ++i) {
      Lane::Certificate& added = *lane->certificates[i];
      if (is_default(i) && mbedtls_ssl_conf_own_cert(&config, &added.chain, &added.key) != 0) {
        return StatusCode::kOutOfMemory;
      }
    }
  }
  return StatusCode::kOk;
}

// True for the first certificate, and for those with other key types for the same name.
bool TlsCredentials::Impl::is_default(std::size_t index) const noexcept {
  if (index == 0) return true;
  if (names_[0].empty()) return false;
  const std::vector<std::string>& names = names_[index];
  return std::find(names.begin(), names.end(), names_[0][0]) != names.end();
}

std::optional<std::size_t> TlsCredentials::Impl::only_rsa() const noexcept {
  const auto has_ecdsa = [this](std::string_view name) {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const std::vector<std::string>& own = names_[i];
      if (!is_rsa_[i] && std::any_of(own.begin(), own.end(), [&](const std::string& pattern) {
            return pattern == name || matches_host(pattern, name);
          })) {
        return true;
      }
    }
    return false;
  };
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (is_rsa_[i] && (names_[i].empty() || !std::all_of(names_[i].begin(), names_[i].end(), has_ecdsa))) return i;
  }
  return std::nullopt;
}

Status TlsCredentials::Impl::add(Lane& lane, const TlsCertificate& certificate, RandomSource& random) {
  auto added = std::make_unique<Lane::Certificate>();
  const PemText chain(certificate.chain);
  const int parsed = mbedtls_x509_crt_parse(&added->chain, chain.data(), chain.size());
  if (parsed < 0) return bad(certificate, "the certificate is not valid PEM: " + error_text(parsed));
  if (parsed > 0) {
    return bad(certificate, std::to_string(parsed) + " certificates of the chain cannot be read");
  }

  const PemText key(certificate.key);
  const int key_error = mbed::parse_key(added->key, key.data(), key.size(), tls_random, &random);
  if (key_error == MBEDTLS_ERR_PK_PASSWORD_REQUIRED || key_error == MBEDTLS_ERR_PEM_PASSWORD_REQUIRED) {
    return bad(certificate, "the key is encrypted; write it without a passphrase: openssl pkey -in KEY -out NEW");
  }
  if (key_error != 0) return bad(certificate, "the key is not a valid PEM private key: " + error_text(key_error));
  if (mbedtls_pk_can_do(&added->key, MBEDTLS_PK_RSA) != 0) {
    if (mbedtls_pk_get_bitlen(&added->key) < kMinRsaBits) {
      return bad(certificate, "the RSA key has less than " + std::to_string(kMinRsaBits) + " bits");
    }
  } else if (mbedtls_pk_can_do(&added->key, MBEDTLS_PK_ECDSA) == 0) {
    return bad(certificate, "the key is neither RSA nor ECDSA");
  }
  if (mbed::check_pair(added->chain.pk, added->key, tls_random, &random) != 0) {
    return bad(certificate, "the key does not belong to the first certificate of the chain");
  }

  if (&lane == lanes_.front().get()) {
    const std::int64_t not_after = to_unix(added->chain.valid_to);
    if (names_.empty() || not_after < not_after_) {
      not_after_ = not_after;
      first_to_expire_ = names_.size();
    }
    note_names(added->chain);
    is_rsa_.push_back(mbedtls_pk_can_do(&added->key, MBEDTLS_PK_RSA) != 0);
  }
  lane.certificates.push_back(std::move(added));
  return StatusCode::kOk;
}

void TlsCredentials::Impl::note_names(const mbedtls_x509_crt& leaf) {
  static constexpr int kDnsName = MBEDTLS_ASN1_CONTEXT_SPECIFIC | 2;  // GeneralName, RFC 5280 section 4.2.1.6
  std::vector<std::string>& names = names_.emplace_back();
  for (const mbedtls_x509_sequence* name = &leaf.subject_alt_names; name != nullptr; name = name->next) {
    if (name->buf.tag != kDnsName) continue;
    std::string& text = names.emplace_back(reinterpret_cast<const char*>(name->buf.p), name->buf.len);
    std::transform(text.begin(), text.end(), text.begin(), to_lower);
  }
}

}  // namespace pairport
