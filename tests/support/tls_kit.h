// SPDX-License-Identifier: MIT
// Certificates and a TLS client without any socket, both of mbedTLS.
#ifndef PAIRPORT_TESTS_SUPPORT_TLS_KIT_H_
#define PAIRPORT_TESTS_SUPPORT_TLS_KIT_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "net/tls/tls_credentials.h"

namespace pairport::testing {

// For what cannot fail, in tests and fuzzers alike.
inline void require(bool condition, const char* what) {
  if (condition) return;
  std::cerr << "not true: " << what << std::endl;
  std::abort();
}

// A generator per thread: handshakes are computed on several.
class TestRandom final : public RandomSource {
 public:
  bool fill(std::span<std::uint8_t> out) noexcept override {
    static thread_local std::mt19937 engine{20260101};
    for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(engine());
    return true;
  }
};

inline TestRandom test_random;

struct CertificatePem {
  std::string chain;
  std::string key;

  TlsCertificate view(std::string_view name = "test certificate") const { return {name, chain, key}; }
};

struct CertificateKind {
  bool rsa = false;
  unsigned rsa_bits = 2048;
  mbedtls_ecp_group_id curve = MBEDTLS_ECP_DP_SECP256R1;
  const char* not_after = "20990101000000";
};

// Self-signed, for `dns_names`.
inline CertificatePem make_certificate(const std::vector<std::string>& dns_names, const CertificateKind& kind = {}) {
  require(mbed::init(), "mbedTLS is there");
  CertificatePem made;
  mbedtls_pk_context key;
  mbedtls_pk_init(&key);
  if (kind.rsa) {
    require(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)) == 0, "mbedtls_pk_setup");
    require(mbedtls_rsa_gen_key(mbedtls_pk_rsa(key), tls_random, &test_random, kind.rsa_bits, 65537) == 0,
            "mbedtls_rsa_gen_key");
  } else {
    require(mbedtls_pk_setup(&key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) == 0, "mbedtls_pk_setup");
    require(mbedtls_ecp_gen_key(kind.curve, mbedtls_pk_ec(key), tls_random, &test_random) == 0, "mbedtls_ecp_gen_key");
  }

  // SubjectAltName (RFC 5280 section 4.2.1.6) in DER: all of it shorter than 128 bytes.
  std::string names;
  for (const std::string& name : dns_names) names += std::string("\x82") + static_cast<char>(name.size()) + name;
  require(names.size() < 120, "names are short");
  const std::string extension = std::string("\x30") + static_cast<char>(names.size()) + names;

  mbedtls_x509write_cert certificate;
  mbedtls_x509write_crt_init(&certificate);
  mbedtls_x509write_crt_set_version(&certificate, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_subject_key(&certificate, &key);
  mbedtls_x509write_crt_set_issuer_key(&certificate, &key);
  require(mbedtls_x509write_crt_set_subject_name(&certificate, "CN=pairport test") == 0,
          "mbedtls_x509write_crt_set_subject_name");
  require(mbedtls_x509write_crt_set_issuer_name(&certificate, "CN=pairport test") == 0,
          "mbedtls_x509write_crt_set_issuer_name");
  require(mbedtls_x509write_crt_set_validity(&certificate, "20200101000000", kind.not_after) == 0,
          "mbedtls_x509write_crt_set_validity");
  if (!dns_names.empty()) {
    require(mbedtls_x509write_crt_set_extension(&certificate, "\x55\x1d\x11", 3, 0,
                                                reinterpret_cast<const unsigned char*>(extension.data()),
                                                extension.size()) == 0,
            "mbedtls_x509write_crt_set_extension");
  }
  std::array<unsigned char, 8192> text{};
  require(mbedtls_x509write_crt_pem(&certificate, text.data(), text.size(), tls_random, &test_random) == 0,
          "mbedtls_x509write_crt_pem");
  made.chain = reinterpret_cast<const char*>(text.data());
  require(mbedtls_pk_write_key_pem(&key, text.data(), text.size()) == 0, "mbedtls_pk_write_key_pem");
  made.key = reinterpret_cast<const char*>(text.data());
  mbedtls_x509write_crt_free(&certificate);
  mbedtls_pk_free(&key);
  return made;
}

// What a client asks for.
struct TlsClientOptions {
  std::string host = "pair.example.com";  // empty: names no server
  std::vector<int> suites;                // empty: all that the library has
  std::vector<const char*> protocols{"http/1.1"};
  bool only_tls12 = false;
  bool only_tls13 = false;
  bool tls11 = false;
};

// A client that trusts everybody. Its owner carries the bytes.
class TlsClient {
 public:
  explicit TlsClient(TlsClientOptions options = {}) : options_(std::move(options)) {
    require(mbed::init(), "mbedTLS is there");
    mbedtls_ssl_config_init(&config_);
    mbedtls_ssl_init(&ssl_);
    require(mbedtls_ssl_config_defaults(&config_, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT) == 0,
            "mbedtls_ssl_config_defaults");
    mbedtls_ssl_conf_rng(&config_, tls_random, &test_random);
    mbedtls_ssl_conf_authmode(&config_, MBEDTLS_SSL_VERIFY_NONE);
    if (!options_.suites.empty()) {
      options_.suites.push_back(0);
      mbedtls_ssl_conf_ciphersuites(&config_, options_.suites.data());
    }
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    if (options_.only_tls12) mbedtls_ssl_conf_max_tls_version(&config_, MBEDTLS_SSL_VERSION_TLS1_2);
    if (options_.only_tls13) mbedtls_ssl_conf_min_tls_version(&config_, MBEDTLS_SSL_VERSION_TLS1_3);
#else
    if (options_.tls11) {
      mbedtls_ssl_conf_min_version(&config_, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_2);
      mbedtls_ssl_conf_max_version(&config_, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_2);
    }
#endif
    if (!options_.protocols.empty()) {
      options_.protocols.push_back(nullptr);
      require(mbedtls_ssl_conf_alpn_protocols(&config_, options_.protocols.data()) == 0,
              "mbedtls_ssl_conf_alpn_protocols");
    }
    require(mbedtls_ssl_setup(&ssl_, &config_) == 0, "mbedtls_ssl_setup");
    mbedtls_ssl_set_hostname(&ssl_, options_.host.empty() ? nullptr : options_.host.c_str());
    mbedtls_ssl_set_bio(&ssl_, this, send, receive, nullptr);
  }
  ~TlsClient() {
    mbedtls_ssl_free(&ssl_);
    mbedtls_ssl_config_free(&config_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  // Goes on with the handshake, then reads.
  void pump() {
    if (!established) {
      const int result = mbedtls_ssl_handshake(&ssl_);
      if (result != 0) return note(result);
      established = true;
    }
    std::array<unsigned char, 20'000> plain;
    for (int count = 0; (count = mbedtls_ssl_read(&ssl_, plain.data(), plain.size())) != MBEDTLS_ERR_SSL_WANT_READ;) {
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
      if (count == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) continue;
#endif
      if (count == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        close_notified = true;
        return;
      }
      if (count <= 0) return note(count);
      received.append(reinterpret_cast<const char*>(plain.data()), static_cast<std::size_t>(count));
    }
  }
  void write(std::string_view text) {
    while (!text.empty()) {
      const int count = mbedtls_ssl_write(&ssl_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
      require(count > 0, "mbedtls_ssl_write");
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void close_notify() {
    mbedtls_ssl_close_notify(&ssl_);
  }

  std::string version() {
    return mbedtls_ssl_get_version(&ssl_);
  }
  std::string suite() {
    return mbedtls_ssl_get_ciphersuite(&ssl_);
  }
  std::string protocol() {
    const char* chosen = mbedtls_ssl_get_alpn_protocol(&ssl_);
    return chosen == nullptr ? "" : chosen;
  }
  // The server's certificate in DER.
  std::string certificate() {
    const mbedtls_x509_crt* certificate = mbedtls_ssl_get_peer_cert(&ssl_);
    return certificate == nullptr
               ? ""
               : std::string(reinterpret_cast<const char*>(certificate->raw.p), certificate->raw.len);
  }

  std::string to_server;
  std::string from_server;
  std::string received;  // plaintext
  int error = 0;         // what ended it
  bool established = false;
  bool close_notified = false;

 private:
  static int send(void* self, const unsigned char* data, std::size_t size) {
    static_cast<TlsClient*>(self)->to_server.append(reinterpret_cast<const char*>(data), size);
    return static_cast<int>(size);
  }
  static int receive(void* self, unsigned char* out, std::size_t size) {
    std::string& source = static_cast<TlsClient*>(self)->from_server;
    if (source.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
    const std::size_t count = std::min(size, source.size());
    std::memcpy(out, source.data(), count);
    source.erase(0, count);
    return static_cast<int>(count);
  }
  void note(int result) {
    if (result != MBEDTLS_ERR_SSL_WANT_READ && result != MBEDTLS_ERR_SSL_WANT_WRITE) error = result;
  }

  TlsClientOptions options_;
  mbedtls_ssl_config config_;
  mbedtls_ssl_context ssl_;
};

inline std::string der_of(const CertificatePem& pem) {
  mbedtls_x509_crt certificate;
  mbedtls_x509_crt_init(&certificate);
  require(mbedtls_x509_crt_parse(&certificate, reinterpret_cast<const unsigned char*>(pem.chain.c_str()),
                                 pem.chain.size() + 1) == 0,
          "mbedtls_x509_crt_parse");
  std::string der(reinterpret_cast<const char*>(certificate.raw.p), certificate.raw.len);
  mbedtls_x509_crt_free(&certificate);
  return der;
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_TLS_KIT_H_
