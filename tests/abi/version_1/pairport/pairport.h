/* SPDX-License-Identifier: MIT
 * The header of version one without its comments, as programs were compiled against it. Never changes. */
#ifndef PAIRPORT_PAIRPORT_H_
#define PAIRPORT_PAIRPORT_H_
#include <stddef.h>
#include <stdint.h>
#include <pairport/export.h>
#ifdef __cplusplus
#define PAIRPORT_NOEXCEPT noexcept
extern "C" {
#else
#define PAIRPORT_NOEXCEPT
#endif
enum {
  PAIRPORT_OK = 0,
  PAIRPORT_OUT_OF_MEMORY = -1,
  PAIRPORT_STORE_FULL = -2,
  PAIRPORT_ALREADY_EXISTS = -3,
  PAIRPORT_RANDOM_FAILED = -4,
  PAIRPORT_INVALID_ARGUMENT = -5,
  PAIRPORT_BAD_TEMPLATE = -6,
  PAIRPORT_BAD_CONFIGURATION = -7,
  PAIRPORT_MEMORY_NOT_LOCKED = -8,
  PAIRPORT_SYSTEM = -9
};
PAIRPORT_EXPORT const char* pairport_status_text(int code) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT const char* pairport_version(void) PAIRPORT_NOEXCEPT;
typedef struct pairport_string {
  const char* data;
  size_t size;
} pairport_string;
enum {
  PAIRPORT_MEMORY_PLAIN = 0,
  PAIRPORT_MEMORY_LOCKED = 1,
  PAIRPORT_MEMORY_MEMFD_SECRET = 2
};
typedef struct pairport_now {
  uint64_t monotonic_ms;
  int64_t unix_seconds;
} pairport_now;
typedef struct pairport_digest {
  pairport_string file;
  pairport_string sha256;
} pairport_digest;
typedef int (*pairport_random)(void* user, uint8_t* out, size_t size);
typedef int (*pairport_template_loader)(void* user, pairport_string name, pairport_string* text);
typedef struct pairport_options {
  size_t size;
  pairport_string url;
  uint64_t ttl_ms;
  size_t code_length;
  size_t max_deposits;
  size_t max_memory;
  int minimum_memory;
  double deposits_per_second;
  double deposit_burst;
  double misses_per_second;
  double miss_burst;
  pairport_string static_code;
  pairport_string static_connect_url;
  pairport_string static_fingerprint;
  pairport_string static_client_id;
  pairport_string static_password;
  pairport_string version;
  pairport_string unstable_version;
  pairport_string linux_url;
  pairport_string windows_url;
  pairport_string checksums_url;
  pairport_string deb_repo;
  pairport_string rpm_repo;
  pairport_string repo_keys;
  pairport_string tacoscript_url;
  int use_repositories;
  const pairport_digest* digests;
  size_t digest_count;
  int serve_packages;
  int hash_codes;
  pairport_template_loader load_template;
  void* template_user;
  pairport_random random;
  void* random_user;
} pairport_options;
PAIRPORT_EXPORT int pairport_options_init(pairport_options* options, size_t size) PAIRPORT_NOEXCEPT;
typedef struct pairport_service pairport_service;
PAIRPORT_EXPORT int pairport_service_create(const pairport_options* options, const pairport_now* now,
                                            pairport_service** service, char* message,
                                            size_t message_size) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT void pairport_service_destroy(pairport_service* service) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_service_expire(pairport_service* service, const pairport_now* now,
                                            size_t max_work) PAIRPORT_NOEXCEPT;
typedef struct pairport_stats {
  size_t size;
  uint64_t deposits;
  uint64_t expiring;
  uint64_t memory_bytes;
  uint64_t deposits_refused;
  int memory_level;
} pairport_stats;
PAIRPORT_EXPORT int pairport_service_stats(const pairport_service* service, pairport_stats* stats) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT size_t pairport_service_static_parts(const pairport_service* service, pairport_string* parts,
                                                     size_t capacity) PAIRPORT_NOEXCEPT;
enum {
  PAIRPORT_METHOD_GET = 0,
  PAIRPORT_METHOD_HEAD = 1,
  PAIRPORT_METHOD_POST = 2,
  PAIRPORT_METHOD_OPTIONS = 3,
  PAIRPORT_METHOD_OTHER = 4
};
#define PAIRPORT_MAX_BODY 16384
typedef struct pairport_request {
  size_t size;
  int method;
  pairport_string target;
  pairport_string user_agent;
  pairport_string accept;
  pairport_string accept_encoding;
  pairport_string content_type;
  pairport_string if_none_match;
  pairport_string if_range;
  pairport_string range;
  pairport_string body;
  uint8_t address[16];
} pairport_request;
PAIRPORT_EXPORT int pairport_parse_address(pairport_string text, uint8_t address[16]) PAIRPORT_NOEXCEPT;
typedef struct pairport_response pairport_response;
PAIRPORT_EXPORT int pairport_response_create(pairport_service* service, pairport_response** response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT void pairport_response_destroy(pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT void pairport_response_reset(pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_handle(pairport_service* service, const pairport_request* request, const pairport_now* now,
                                    pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_refuse(pairport_service* service, int status, pairport_string text, pairport_string accept,
                                    int method, pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_response_status(const pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT const char* pairport_reason_phrase(int status) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT const char* pairport_response_route(const pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT uint32_t pairport_response_code_hash(const pairport_response* response) PAIRPORT_NOEXCEPT;
typedef struct pairport_header {
  pairport_string name;
  pairport_string value;
} pairport_header;
PAIRPORT_EXPORT size_t pairport_response_header_count(const pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_response_header(const pairport_response* response, size_t index,
                                             pairport_header* header) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT void pairport_response_header_bytes(const pairport_response* response,
                                                    pairport_string parts[2]) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT uint32_t pairport_response_retry_after(const pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT uint64_t pairport_response_content_length(const pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT int pairport_response_has_content_length(const pairport_response* response) PAIRPORT_NOEXCEPT;
#define PAIRPORT_MAX_FRAGMENTS 4
PAIRPORT_EXPORT size_t pairport_response_body(const pairport_response* response,
                                              pairport_string fragments[PAIRPORT_MAX_FRAGMENTS]) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT pairport_string pairport_response_file(const pairport_response* response) PAIRPORT_NOEXCEPT;
typedef struct pairport_file_info {
  uint64_t size;
  uint64_t modified;
} pairport_file_info;
PAIRPORT_EXPORT int pairport_answer_file(pairport_service* service, const pairport_file_info* info,
                                         pairport_response* response) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT void pairport_response_file_range(const pairport_response* response, uint64_t* offset,
                                                  uint64_t* size) PAIRPORT_NOEXCEPT;
typedef struct pairport_buffer pairport_buffer;
PAIRPORT_EXPORT int pairport_buffer_create(pairport_service* service, pairport_buffer** buffer) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT char* pairport_buffer_data(pairport_buffer* buffer) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT void pairport_buffer_destroy(pairport_buffer* buffer) PAIRPORT_NOEXCEPT;
PAIRPORT_EXPORT void pairport_wipe(void* data, size_t size) PAIRPORT_NOEXCEPT;
#ifdef __cplusplus
}
#endif
#endif
