/* SPDX-License-Identifier: MIT
 * The header of version one without its comments, as programs were compiled against it. Never changes. */
#ifndef PAIRPORT_PAIRPORT_UV_H_
#define PAIRPORT_PAIRPORT_UV_H_
#include <stddef.h>
#include <stdint.h>
#include <pairport/export.h>
#include <pairport/pairport.h>
#ifdef __cplusplus
extern "C" {
#endif
struct uv_loop_s;
enum {
  PAIRPORT_EVENT_DEPOSITS_REFUSED = 0,
  PAIRPORT_EVENT_ACCEPT_PAUSED = 1,
  PAIRPORT_EVENT_MEMORY_FELL = 2,
  PAIRPORT_EVENT_HANDSHAKES_DROPPED = 3
};
typedef void (*pairport_event_callback)(void* user, int event, int detail);
typedef struct pairport_answer {
  size_t size;
  const char* route;
  int method;
  int status;
  int complete;
  uint32_t code_hash;
  uint64_t bytes;
  uint64_t duration_ms;
  uint8_t address[16];
} pairport_answer;
typedef void (*pairport_answer_callback)(void* user, const pairport_answer* answer);
typedef struct pairport_certificate {
  pairport_string name;
  pairport_string chain;
  pairport_string key;
} pairport_certificate;
enum { PAIRPORT_TLS_1_2 = 0, PAIRPORT_TLS_1_3 = 1 };
typedef struct pairport_server_options {
  size_t size;
  size_t max_head_bytes;
  size_t max_headers;
  size_t max_body_bytes;
  uint64_t head_timeout;
  uint64_t body_timeout;
  uint64_t idle_timeout;
  uint64_t answer_timeout;
  uint64_t min_bytes_per_second;
  uint64_t linger_timeout;
  uint64_t drain_timeout;
  size_t max_connections;
  uint32_t max_connections_per_address;
  const pairport_certificate* certificates;
  size_t certificate_count;
  int min_tls_version;
  uint32_t ticket_lifetime;
  size_t handshake_lanes;
  size_t max_handshakes;
  int batch_handshakes;
  uint64_t handshake_timeout;
  int send_hsts;
  uint64_t hsts_seconds;
  const pairport_string* trusted_proxies;
  size_t trusted_proxy_count;
  pairport_string package_folder;
  pairport_answer_callback on_answer;
  void* answer_user;
  pairport_event_callback on_event;
  void* event_user;
} pairport_server_options;
PAIRPORT_EXPORT int pairport_server_options_init(pairport_server_options* options, size_t size) PAIRPORT_NOEXCEPT;
typedef struct pairport_server pairport_server;
PAIRPORT_EXPORT int pairport_server_attach(struct uv_loop_s* loop, pairport_service* service,
                                           const pairport_server_options* options, pairport_server** server,
                                           char* message, size_t message_size) PAIRPORT_NOEXCEPT;
typedef struct pairport_listen_options {
  size_t size;
  int tls;
  int redirect_to_https;
} pairport_listen_options;
PAIRPORT_EXPORT int pairport_server_listen(pairport_server* server, pairport_string address,
                                           const pairport_listen_options* options, char* url, size_t url_size,
                                           char* message, size_t message_size) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_server_adopt(pairport_server* server, int fd,
                                          const pairport_listen_options* options) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_server_use_certificates(pairport_server* server, const pairport_certificate* certificates,
                                                     size_t count, char* message,
                                                     size_t message_size) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT size_t pairport_server_connections(const pairport_server* server) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_server_stop(pairport_server* server, void (*on_stopped)(void* user),
                                         void* user) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_server_destroy(pairport_server* server) PAIRPORT_NOEXCEPT;
#ifdef __cplusplus
}
#endif
#endif
