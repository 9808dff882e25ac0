// SPDX-License-Identifier: MIT
// One name for each function that differs between mbedTLS 2.28 (Debian 12) and 3.6 (Debian 13).
#ifndef PAIRPORT_NET_MBEDTLS_BRIDGE_H_
#define PAIRPORT_NET_MBEDTLS_BRIDGE_H_

#include <mbedtls/ecp.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include <cstddef>

// Several threads compute handshakes, so the library must lock the state that it shares between them (3.6: its key
// store and random generator).
#ifndef MBEDTLS_THREADING_C
#error "mbedTLS must be built with MBEDTLS_THREADING_C"
#endif

namespace pairport::mbed {

#ifdef MBEDTLS_SSL_PROTO_TLS1_3
inline constexpr bool kHasTls13 = true;
#else
inline constexpr bool kHasTls13 = false;
#endif

using Random = int (*)(void* context, unsigned char* out, std::size_t size);

#if MBEDTLS_VERSION_NUMBER >= 0x03000000

inline bool init() noexcept {
  return psa_crypto_init() == PSA_SUCCESS;
}

inline int parse_key(mbedtls_pk_context& key, const unsigned char* pem, std::size_t size, Random random,
                     void* context) noexcept {
  return mbedtls_pk_parse_key(&key, pem, size, nullptr, 0, random, context);
}

inline int check_pair(const mbedtls_pk_context& certified, const mbedtls_pk_context& key, Random random,
                      void* context) noexcept {
  return mbedtls_pk_check_pair(&certified, &key, random, context);
}

inline void set_versions(mbedtls_ssl_config& config, bool only_tls13) noexcept {
  mbedtls_ssl_conf_min_tls_version(&config, only_tls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(&config, kHasTls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2);
}

// The cheapest group for the server first. This order decides in TLS 1.2. In TLS 1.3 the client's order decides,
// because the client has already sent a key for one group; another group would cost a round trip. A key pair and the
// shared secret take 0.82 ms with P-256 and 1.00 ms with X25519 (2.28: 0.95 and 1.08 ms).
inline void set_groups(mbedtls_ssl_config& config) noexcept {
  static constexpr std::uint16_t kGroups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                              MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
  mbedtls_ssl_conf_groups(&config, kGroups);
}

#else

inline bool init() noexcept {
  return true;
}

inline int parse_key(mbedtls_pk_context& key, const unsigned char* pem, std::size_t size, Random, void*) noexcept {
  return mbedtls_pk_parse_key(&key, pem, size, nullptr, 0);
}

inline int check_pair(const mbedtls_pk_context& certified, const mbedtls_pk_context& key, Random, void*) noexcept {
  return mbedtls_pk_check_pair(&certified, &key);
}

// 2.28 still has TLS 1.0 and 1.1.
inline void set_versions(mbedtls_ssl_config& config, bool) noexcept {
  mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
}

// The cheapest group for the server first; this order decides.
inline void set_groups(mbedtls_ssl_config& config) noexcept {
  static constexpr mbedtls_ecp_group_id kGroups[] = {MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_CURVE25519,
                                                     MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
  mbedtls_ssl_conf_curves(&config, kGroups);
}

#endif

// Best first; this order decides in TLS 1.2, the client's in TLS 1.3. 45 KiB of records take 131 microseconds with
// ChaCha20-Poly1305, 192 with AES-128-GCM and 205 with AES-256-GCM (mbedTLS 2.28 on an x86-64 with AES
// instructions; 3.6: 111, 131 and 143).
inline constexpr int kSuites[] = {
#ifdef MBEDTLS_SSL_PROTO_TLS1_3
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
#endif
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0,
};

}  // namespace pairport::mbed

#endif  // PAIRPORT_NET_MBEDTLS_BRIDGE_H_
