/* SPDX-License-Identifier: MIT
 * The pairing service as a content handler of nginx, over the C interface of the library.
 *
 * Invariants:
 * - There is one service for all locations with `pairport on`, in one worker process, created there (secret memory is
 *   not inherited): a second one would know only the codes that it handed out itself. So there is one worker only, or
 *   the others do not accept connections for these locations; the configuration refuses anything else.
 * - A body goes to secret memory piece by piece in a filter, whoever reads it: no other module sees it, and nginx never
 *   writes one to a file. What nginx itself has read, request line and body, is wiped when the request ends.
 * - A response belongs to the clean-up of the request's pool: nginx runs it when the last byte has been sent or given
 * up.
 * - Neither the access log nor the error log gets a request line of a location with `pairport on`: codes are secrets.
 */
#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

#include <pairport/pairport.h>

/* Deposits that are wiped in one go, so that a crowd that expires is not seen in anyone's latency: about 0.1 ms. */
#define PAIRPORT_EXPIRY_WORK 1000
#define PAIRPORT_EXPIRY_INTERVAL_MS 100
#define PAIRPORT_LOG_INTERVAL_MS 60000

/* The built-in scripts are a few dozen pieces. */
#define PAIRPORT_MAX_TEMPLATE (1024 * 1024)

/* Static text that is longer goes to the socket by sendfile(2), where nginx uses that: the kernel then does not copy it
 * either. Below, one more system call costs more than the copy. */
#define PAIRPORT_MIN_SENDFILE 16384
#define PAIRPORT_MAX_PARTS 64
/* Since Linux 6.1; the C library may be older. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define PAIRPORT_HUGE_PAGE ((size_t)2 * 1024 * 1024)

/* Static text and where it is in the file. */
typedef struct {
  const char* data;
  size_t size;
  off_t offset;
} ngx_http_pairport_part_t;

typedef struct {
  ngx_str_t name;
  ngx_str_t text; /* data is NULL when there is no such file */
} ngx_http_pairport_template_t;

/* Settings are written where they are convenient, but hold for the one service: each may be set once. */
typedef struct {
  ngx_uint_t locations;    /* with `pairport on` */
  ngx_array_t* servers;    /* ngx_http_core_srv_conf_t *, with such a location */
  ngx_array_t* sockets;    /* struct sockaddr *, of listening sockets for the first worker */
  ngx_flag_t first_worker; /* the others leave these sockets alone */

  ngx_str_t url;
  time_t ttl;
  ngx_int_t code_length;
  ngx_int_t max_deposits;
  off_t max_memory;
  ngx_flag_t require_locked_memory;
  double deposits_per_second;
  double deposit_burst;
  double misses_per_second;
  double miss_burst;
  ngx_str_t ipv6_budgets;
  double network_share;
  ngx_str_t static_deposit[5];

  ngx_str_t version;
  ngx_str_t unstable_version;
  ngx_str_t linux_url;
  ngx_str_t windows_url;
  ngx_str_t checksums_url;
  ngx_str_t deb_repo;
  ngx_str_t rpm_repo;
  ngx_str_t repo_keys;
  ngx_str_t tacoscript_url;
  ngx_flag_t use_repositories;
  ngx_flag_t strict_checksums;
  ngx_array_t* digests; /* pairport_digest */
  ngx_str_t templates;  /* a folder */
  ngx_array_t* texts;   /* ngx_http_pairport_template_t, what was found there: workers may not read it any more */
  ngx_pool_t* text_pool;
  ngx_log_t* text_log;

  /* Of a worker. */
  pairport_service* service;
  ngx_fd_t parts_fd; /* a memfd with all static text, or NGX_INVALID_FILE */
  ngx_uint_t part_count;
  ngx_http_pairport_part_t parts[PAIRPORT_MAX_PARTS];
  ngx_queue_t requests; /* every ngx_http_pairport_ctx_t */
  ngx_event_t expiry;
  ngx_connection_t expiry_ident; /* an event's data must look like a connection to the debug log */
  ngx_msec_t refusal_logged;
  uint64_t refusals;
  ngx_msec_t limits_logged;
  uint64_t limited; /* that were logged */
  uint64_t misses;
  int memory_level;
} ngx_http_pairport_main_conf_t;

typedef struct {
  ngx_flag_t enable;
  ngx_flag_t access_log;
} ngx_http_pairport_loc_conf_t;

typedef struct {
  ngx_queue_t link;
  ngx_http_request_t* request;
  pairport_response* response;
  pairport_buffer* buffer; /* with a body only */
  size_t body_size;
  unsigned too_large : 1;
  unsigned failed : 1; /* no memory for the body */
} ngx_http_pairport_ctx_t;

static ngx_int_t ngx_http_pairport_handler(ngx_http_request_t* r);
static ngx_http_request_body_filter_pt ngx_http_next_request_body_filter;

extern ngx_module_t ngx_http_pairport_module;

static pairport_string ngx_http_pairport_string(const ngx_str_t* text) {
  pairport_string view = {(const char*)text->data, text->len};
  return view;
}

static pairport_string ngx_http_pairport_literal(const char* text) {
  pairport_string view = {text, ngx_strlen(text)};
  return view;
}

/* The clock itself and not nginx's cached time: a code must not live longer than it should because the worker is busy.
 * CLOCK_BOOTTIME, unlike CLOCK_MONOTONIC, goes on while the machine is suspended. */
static pairport_now ngx_http_pairport_now(void) {
  struct timespec since_start;
  pairport_now now;
  (void)clock_gettime(CLOCK_BOOTTIME, &since_start);
  now.monotonic_ms = (uint64_t)since_start.tv_sec * 1000 + (uint64_t)since_start.tv_nsec / 1000000;
  now.unix_seconds = ngx_time();
  return now;
}

static void ngx_http_pairport_wipe(ngx_str_t* text) {
  if (text->data != NULL) pairport_wipe(text->data, text->len);
}

/* ------------------------------------------------------------------------------------------------- expiry, worker --
 */

static void ngx_http_pairport_watch(ngx_http_pairport_main_conf_t* main_conf, const pairport_stats* stats,
                                    ngx_log_t* log) {
  if (stats->memory_level < main_conf->memory_level) {
    main_conf->memory_level = stats->memory_level;
    ngx_log_error(
        NGX_LOG_WARN, log, 0,
        "pairport: from now on memory for credentials is %s; raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit)",
        stats->memory_level == PAIRPORT_MEMORY_PLAIN ? "plain" : "locked");
  }
  if (stats->deposits_refused != main_conf->refusals &&
      (main_conf->refusals == 0 || ngx_current_msec - main_conf->refusal_logged >= PAIRPORT_LOG_INTERVAL_MS)) {
    ngx_log_error(
        NGX_LOG_WARN, log, 0,
        "pairport: %uL deposits were refused for lack of room: see pairport_max_deposits and pairport_max_memory",
        stats->deposits_refused - main_conf->refusals);
    main_conf->refusals = stats->deposits_refused;
    main_conf->refusal_logged = ngx_current_msec;
  }
}

/* Once a minute at most. */
static void ngx_http_pairport_watch_limits(ngx_http_pairport_main_conf_t* main_conf, const pairport_stats* stats,
                                           ngx_log_t* log) {
  const uint64_t limited = stats->deposits_limited + stats->look_ups_limited;
  const ngx_uint_t level = limited == main_conf->limited ? NGX_LOG_NOTICE : NGX_LOG_WARN;
  if (limited == main_conf->limited && stats->misses == main_conf->misses) return;
  if (main_conf->limits_logged != 0 && ngx_current_msec - main_conf->limits_logged < PAIRPORT_LOG_INTERVAL_MS) return;
  ngx_log_error(
      level, log, 0,
      "pairport: %uL look-ups of codes that do not exist, by all clients together, since the last line of this kind; "
      "requests that a limit refused with 429: %uL",
      stats->misses - main_conf->misses, limited - main_conf->limited);
  main_conf->misses = stats->misses;
  main_conf->limited = limited;
  main_conf->limits_logged = ngx_current_msec;
}

static void ngx_http_pairport_expire(ngx_event_t* event) {
  ngx_http_pairport_main_conf_t* main_conf = ((ngx_connection_t*)event->data)->data;
  const pairport_now now = ngx_http_pairport_now();
  const int more = pairport_service_expire(main_conf->service, &now, PAIRPORT_EXPIRY_WORK);
  pairport_stats stats;
  stats.size = sizeof stats;
  (void)pairport_service_stats(main_conf->service, &stats);
  ngx_http_pairport_watch(main_conf, &stats, event->log);
  ngx_http_pairport_watch_limits(main_conf, &stats, event->log);
  if (more > 0) {
    ngx_add_timer(event, 1);
  } else if (stats.expiring != 0) {
    ngx_add_timer(event, PAIRPORT_EXPIRY_INTERVAL_MS);
  } /* else the next deposit arms it */
}

static void ngx_http_pairport_arm(ngx_http_pairport_main_conf_t* main_conf) {
  if (!main_conf->expiry.timer_set) ngx_add_timer(&main_conf->expiry, PAIRPORT_EXPIRY_INTERVAL_MS);
}

/* ------------------------------------------------------------------------------------------------------ requests -- */

static void ngx_http_pairport_release(ngx_http_pairport_ctx_t* ctx) {
  if (ctx->response == NULL && ctx->buffer == NULL) return;
  pairport_response_destroy(ctx->response);
  pairport_buffer_destroy(ctx->buffer);
  ctx->response = NULL;
  ctx->buffer = NULL;
  ngx_queue_remove(&ctx->link);
}

/* Runs when nothing of the request is used any more but its memory is still there. */
static void ngx_http_pairport_cleanup(void* data) {
  ngx_http_pairport_ctx_t* ctx = data;
  ngx_http_request_t* r = ctx->request;
  ngx_connection_t* c = r->connection;
  ngx_buf_t* buf;
  ngx_http_pairport_release(ctx);
  /* HTTP/2 and HTTP/3 have targets in tables of their header compression, some of them constants, and pieces of bodies
   * in a buffer of the connection: what was taken from there has been wiped, the rest is not this request's. */
  if (r->http_version < NGX_HTTP_VERSION_20) {
    ngx_http_pairport_wipe(&r->unparsed_uri);
    if (!r->internal) ngx_http_pairport_wipe(&r->uri); /* that of a redirect is a part of the configuration */
    buf = r->header_in;
    /* What follows there belongs to the next request. */
    if (buf != NULL && buf->start != NULL && buf->pos > buf->start) {
      pairport_wipe(buf->start, (size_t)(buf->pos - buf->start));
    }
    buf = r->request_body == NULL ? NULL : r->request_body->buf;
    if (buf != NULL && buf != r->header_in && buf->start != NULL) {
      pairport_wipe(buf->start, (size_t)(buf->end - buf->start));
    }
  }
#if (NGX_SSL)
  /* Small pieces of answers are copied together before they are encrypted. */
  if (c->ssl != NULL && c->ssl->buf != NULL && c->ssl->buf->start != NULL && c->ssl->buf->pos == c->ssl->buf->last) {
    pairport_wipe(c->ssl->buf->start, (size_t)(c->ssl->buf->end - c->ssl->buf->start));
  }
#else
  (void)c;
#endif
}

static ngx_http_pairport_ctx_t* ngx_http_pairport_context(ngx_http_request_t* r,
                                                          ngx_http_pairport_main_conf_t* main_conf) {
  ngx_pool_cleanup_t* cleanup;
  ngx_http_pairport_ctx_t* ctx = ngx_http_get_module_ctx(r, ngx_http_pairport_module);
  if (ctx != NULL) return ctx;
  cleanup = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_pairport_ctx_t));
  if (cleanup == NULL) return NULL;
  ctx = cleanup->data;
  ngx_memzero(ctx, sizeof *ctx);
  ctx->request = r;
  if (pairport_response_create(main_conf->service, &ctx->response) != PAIRPORT_OK) return NULL;
  ngx_queue_insert_tail(&main_conf->requests, &ctx->link);
  cleanup->handler = ngx_http_pairport_cleanup;
  ngx_http_set_ctx(r, ctx, ngx_http_pairport_module);
  return ctx;
}

/* In place of nginx's, which shows the request line. */
static u_char* ngx_http_pairport_log(ngx_http_request_t* r, ngx_http_request_t* sr, u_char* buf, size_t len) {
  ngx_http_core_srv_conf_t* server = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
  (void)sr;
  return ngx_snprintf(buf, len, ", server: %V, request: of a location with pairport", &server->server_name);
}

/* The first that runs once the location is known, before anything has a reason to log. */
static ngx_int_t ngx_http_pairport_shield(ngx_http_request_t* r) {
  const ngx_http_pairport_loc_conf_t* conf = ngx_http_get_module_loc_conf(r, ngx_http_pairport_module);
  if (conf->enable) {
    r->log_handler = ngx_http_pairport_log;
    if (!conf->access_log) r->logged = 1;
  }
  return NGX_DECLINED;
}

static ngx_int_t ngx_http_pairport_add_header(ngx_http_request_t* r, const pairport_header* header,
                                              ngx_table_elt_t** added) {
  ngx_table_elt_t* element = ngx_list_push(&r->headers_out.headers);
  if (element == NULL) return NGX_ERROR;
  element->hash = 1;
  element->key.data = (u_char*)header->name.data;
  element->key.len = header->name.size;
  element->value.data = (u_char*)header->value.data;
  element->value.len = header->value.size;
  element->lowcase_key = NULL;
#if (nginx_version >= 1023000)
  element->next = NULL;
#endif
  *added = element;
  return NGX_OK;
}

static ngx_uint_t ngx_http_pairport_is(const pairport_string* name, const char* other, size_t size) {
  return name->size == size && ngx_strncmp(name->data, other, size) == 0;
}

static ngx_int_t ngx_http_pairport_add_headers(ngx_http_request_t* r, const pairport_response* response) {
  static const char kRetryAfter[] = "Retry-After";
  const size_t count = pairport_response_header_count(response);
  const uint32_t retry_after = pairport_response_retry_after(response);
  ngx_table_elt_t* added;
  pairport_header header;
  size_t i;
  for (i = 0; i < count; ++i) {
    if (pairport_response_header(response, i, &header) != PAIRPORT_OK) return NGX_ERROR;
    if (ngx_http_pairport_is(&header.name, "Content-Type", sizeof("Content-Type") - 1)) {
      r->headers_out.content_type.data = (u_char*)header.value.data;
      r->headers_out.content_type.len = header.value.size;
      r->headers_out.content_type_len = header.value.size;
      continue;
    }
    if (ngx_http_pairport_add_header(r, &header, &added) != NGX_OK) return NGX_ERROR;
    if (ngx_http_pairport_is(&header.name, "Content-Encoding", sizeof("Content-Encoding") - 1)) {
      r->headers_out.content_encoding = added;
    }
  }
  if (retry_after != 0) {
    u_char* digits = ngx_pnalloc(r->pool, NGX_INT32_LEN);
    if (digits == NULL) return NGX_ERROR;
    header.name.data = kRetryAfter;
    header.name.size = sizeof kRetryAfter - 1;
    header.value.data = (const char*)digits;
    header.value.size = (size_t)(ngx_sprintf(digits, "%uD", retry_after) - digits);
    if (ngx_http_pairport_add_header(r, &header, &added) != NGX_OK) return NGX_ERROR;
  }
  return NGX_OK;
}

/* Also in the file, if it is static text and long: nginx takes it from there or from memory, as the connection allows.
 */
static ngx_int_t ngx_http_pairport_offer_file(ngx_http_request_t* r, ngx_buf_t* buf) {
  const ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  ngx_uint_t i;
  if (buf->last - buf->pos < PAIRPORT_MIN_SENDFILE || main_conf->parts_fd == NGX_INVALID_FILE) return NGX_OK;
  for (i = 0; i < main_conf->part_count && main_conf->parts[i].data != (const char*)buf->pos; ++i) continue;
  if (i == main_conf->part_count || main_conf->parts[i].size != (size_t)(buf->last - buf->pos)) return NGX_OK;
  buf->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t)); /* of this request: nginx keeps state in it */
  if (buf->file == NULL) return NGX_ERROR;
  buf->file->fd = main_conf->parts_fd;
  buf->file->log = r->connection->log;
  ngx_str_set(&buf->file->name, "static text of pairport");
  buf->file_pos = main_conf->parts[i].offset;
  buf->file_last = buf->file_pos + (off_t)main_conf->parts[i].size;
  buf->in_file = 1;
  return NGX_OK;
}

/* Hands the answer over as it is, without a copy of a byte. */
static ngx_int_t ngx_http_pairport_send(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  struct {
    ngx_chain_t link;
    ngx_buf_t buf;
  } * pieces;
  pairport_string fragments[PAIRPORT_MAX_FRAGMENTS];
  size_t count, longest, i;
  ngx_int_t rc;

  /* Also for error_page, whose status would win otherwise. */
  r->err_status = 0;
  r->headers_out.status = (ngx_uint_t)pairport_response_status(ctx->response);
  r->headers_out.status_line.len = 0;
  r->headers_out.content_length_n =
      pairport_response_has_content_length(ctx->response) ? (off_t)pairport_response_content_length(ctx->response) : -1;
  if (ngx_http_pairport_add_headers(r, ctx->response) != NGX_OK) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  /* Conditions, ranges and compression are the service's business. gzip of nginx's would also keep credentials in
   * buffers of its own, and let the length of an answer tell about them. */
  r->disable_not_modified = 1;
  r->allow_ranges = 0;
#if (NGX_HTTP_GZIP)
  r->gzip_tested = 1;
  r->gzip_ok = 0;
#endif

  rc = ngx_http_send_header(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
  count = pairport_response_body(ctx->response, fragments);
  if (count == 0) return ngx_http_send_special(r, NGX_HTTP_LAST);
  pieces = ngx_pcalloc(r->pool, count * sizeof *pieces);
  if (pieces == NULL) return NGX_ERROR;
  for (i = 0, longest = 0; i < count; ++i) {
    ngx_buf_t* buf = &pieces[i].buf;
    buf->pos = buf->start = (u_char*)fragments[i].data;
    buf->last = buf->end = buf->pos + fragments[i].size;
    buf->memory = 1;
    buf->last_buf = i + 1 == count;
    buf->last_in_chain = i + 1 == count;
    pieces[i].link.buf = buf;
    pieces[i].link.next = i + 1 == count ? NULL : &pieces[i + 1].link;
    if (fragments[i].size > fragments[longest].size) longest = i;
  }
  if (ngx_http_pairport_offer_file(r, &pieces[longest].buf) != NGX_OK) return NGX_ERROR;
  return ngx_http_output_filter(r, &pieces[0].link);
}

static int ngx_http_pairport_method(const ngx_http_request_t* r) {
  switch (r->method) {
    case NGX_HTTP_GET:
      return PAIRPORT_METHOD_GET;
    case NGX_HTTP_HEAD:
      return PAIRPORT_METHOD_HEAD;
    case NGX_HTTP_POST:
      return PAIRPORT_METHOD_POST;
    case NGX_HTTP_OPTIONS:
      return PAIRPORT_METHOD_OPTIONS;
    default:
      return PAIRPORT_METHOD_OTHER;
  }
}

static pairport_string ngx_http_pairport_value(const ngx_table_elt_t* header) {
  pairport_string none = {NULL, 0};
  return header == NULL ? none : ngx_http_pairport_string(&header->value);
}

/* As ngx_http_realip_module left it. */
static void ngx_http_pairport_address(const struct sockaddr* peer, uint8_t address[16]) {
  ngx_memzero(address, 16);
  if (peer->sa_family == AF_INET) {
    address[10] = address[11] = 0xff;
    ngx_memcpy(address + 12, &((const struct sockaddr_in*)peer)->sin_addr, 4);
#if (NGX_HAVE_INET6)
  } else if (peer->sa_family == AF_INET6) {
    ngx_memcpy(address, &((const struct sockaddr_in6*)peer)->sin6_addr, 16);
#endif
  }
}

/* The target below the location: `location /pair/` makes /pair/<code> into /<code>. As it was sent, still encoded; one
 * whose prefix is encoded does not match and is unknown to the service. */
static pairport_string ngx_http_pairport_target(ngx_http_request_t* r) {
  const ngx_http_core_loc_conf_t* location = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
  pairport_string target = ngx_http_pairport_string(&r->unparsed_uri);
  size_t prefix = location->name.len;
  int is_prefix = !location->exact_match && !location->named && !location->noname;
#if (NGX_PCRE)
  if (location->regex != NULL) is_prefix = 0;
#endif
  if (!is_prefix) return target;
  while (prefix > 0 && location->name.data[prefix - 1] == '/') --prefix;
  if (prefix == 0 || target.size < prefix || ngx_strncmp(target.data, location->name.data, prefix) != 0) return target;
  if (target.size == prefix || target.data[prefix] == '?') return ngx_http_pairport_literal("/");
  if (target.data[prefix] != '/') return target;
  target.data += prefix;
  target.size -= prefix;
  return target;
}

static void ngx_http_pairport_describe(ngx_http_request_t* r, pairport_request* request) {
  ngx_memzero(request, sizeof *request);
  request->size = sizeof *request;
  request->method = ngx_http_pairport_method(r);
  request->user_agent = ngx_http_pairport_value(r->headers_in.user_agent);
#if (NGX_HTTP_HEADERS)
  request->accept = ngx_http_pairport_value(r->headers_in.accept);
#endif
#if (NGX_HTTP_GZIP || NGX_HTTP_HEADERS)
  request->accept_encoding = ngx_http_pairport_value(r->headers_in.accept_encoding);
#endif
  request->content_type = ngx_http_pairport_value(r->headers_in.content_type);
  request->if_none_match = ngx_http_pairport_value(r->headers_in.if_none_match);
  request->if_range = ngx_http_pairport_value(r->headers_in.if_range);
  request->range = ngx_http_pairport_value(r->headers_in.range);
  ngx_http_pairport_address(r->connection->sockaddr, request->address);
}

static ngx_int_t ngx_http_pairport_answer(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx,
                                          const pairport_request* request) {
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  const pairport_now now = ngx_http_pairport_now();
  int status;
  if (pairport_handle(main_conf->service, request, &now, ctx->response) != PAIRPORT_OK) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  /* To wipe it in its time; for guesses, to log them. */
  status = pairport_response_status(ctx->response);
  if (request->method == PAIRPORT_METHOD_POST || status == NGX_HTTP_NOT_FOUND || status == NGX_HTTP_TOO_MANY_REQUESTS) {
    ngx_http_pairport_arm(main_conf);
  }
  return ngx_http_pairport_send(r, ctx);
}

/* The method of the client's own request: error_page makes every method but HEAD a GET. */
static int ngx_http_pairport_method_asked(const ngx_http_request_t* r) {
  static const struct {
    const char* name;
    size_t size;
    int method;
  } kMethods[] = {{"GET ", 4, PAIRPORT_METHOD_GET},
                  {"HEAD ", 5, PAIRPORT_METHOD_HEAD},
                  {"POST ", 5, PAIRPORT_METHOD_POST},
                  {"OPTIONS ", 8, PAIRPORT_METHOD_OPTIONS}};
  const u_char* line = r->request_line.data;
  size_t size = r->request_line.len;
  size_t i;
  if (size == 0 && r->request_start != NULL && r->header_in != NULL && r->header_in->last > r->request_start) {
    line = r->request_start; /* nginx could not parse it */
    size = (size_t)(r->header_in->last - r->request_start);
  }
  for (i = 0; i < sizeof kMethods / sizeof kMethods[0]; ++i) {
    if (size > kMethods[i].size && ngx_strncmp(line, kMethods[i].name, kMethods[i].size) == 0)
      return kMethods[i].method;
  }
  return PAIRPORT_METHOD_OTHER;
}

static ngx_int_t ngx_http_pairport_refuse(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx, int status,
                                          const char* text) {
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  pairport_request request;
  ngx_http_pairport_describe(r, &request);
  if (pairport_refuse(main_conf->service, status, ngx_http_pairport_literal(text), request.accept,
                      ngx_http_pairport_method_asked(r), ctx->response) != PAIRPORT_OK) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return ngx_http_pairport_send(r, ctx);
}

static ngx_int_t ngx_http_pairport_too_large(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  /* Nobody waits for the rest: no "100 Continue", and the connection ends, lingering so that the answer arrives. */
  r->expect_tested = 1;
  r->keepalive = 0;
  r->lingering_close = 1;
  return ngx_http_pairport_refuse(r, ctx, 413, "the body is larger than 16384 bytes");
}

/* ----------------------------------------------------------------------------------------------------------- bodies --
 */

/* Moves a piece of a body to secret memory. */
static void ngx_http_pairport_take(ngx_http_pairport_ctx_t* ctx, ngx_http_pairport_main_conf_t* main_conf, u_char* data,
                                   size_t size) {
  if (ctx == NULL || ctx->failed || ctx->too_large) return;
  if (ctx->buffer == NULL && pairport_buffer_create(main_conf->service, &ctx->buffer) != PAIRPORT_OK) {
    ctx->failed = 1;
  } else if (size > PAIRPORT_MAX_BODY - ctx->body_size) {
    ctx->too_large = 1;
  } else {
    ngx_memcpy(pairport_buffer_data(ctx->buffer) + ctx->body_size, data, size);
    ctx->body_size += size;
  }
}

/* Every body of a location with `pairport on` goes through here, also when another module reads it: that one gets an
 * empty body, and nothing of it is left for a file, whatever client_body_in_file_only, client_body_in_single_buffer and
 * client_body_buffer_size say. */
static ngx_int_t ngx_http_pairport_body_filter(ngx_http_request_t* r, ngx_chain_t* in) {
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  const ngx_http_pairport_loc_conf_t* conf = ngx_http_get_module_loc_conf(r, ngx_http_pairport_module);
  ngx_http_pairport_ctx_t* ctx = NULL;
  ngx_chain_t *link, *last = NULL;
  if (!conf->enable) return ngx_http_next_request_body_filter(r, in);
  if (main_conf->service != NULL && r->method == NGX_HTTP_POST) ctx = ngx_http_pairport_context(r, main_conf);
  for (link = in; link != NULL; link = link->next) {
    ngx_buf_t* buf = link->buf;
    const size_t size = (size_t)(buf->last - buf->pos);
    if (size != 0) {
      ngx_http_pairport_take(ctx, main_conf, buf->pos, size);
      pairport_wipe(buf->pos, size);
      buf->pos = buf->last;
    }
    if (buf->last_buf) last = link;
  }
  if (ctx != NULL && ctx->too_large) return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
  return ngx_http_next_request_body_filter(r, last);
}

static ngx_int_t ngx_http_pairport_deposit(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  pairport_request request;
  ngx_int_t rc;
  if (ctx->failed) return ngx_http_pairport_refuse(r, ctx, 503, "out of memory; try again later");
  ngx_http_pairport_describe(r, &request);
  request.target = ngx_http_pairport_target(r);
  if (ctx->body_size != 0) {
    request.body.data = pairport_buffer_data(ctx->buffer);
    request.body.size = ctx->body_size;
  }
  rc = ngx_http_pairport_answer(r, ctx, &request);
  /* The answer may wait long for its reader; the body needs not. */
  pairport_buffer_destroy(ctx->buffer);
  ctx->buffer = NULL;
  return rc;
}

static void ngx_http_pairport_read(ngx_http_request_t* r) {
  ngx_http_pairport_ctx_t* ctx = ngx_http_get_module_ctx(r, ngx_http_pairport_module);
  while (r->reading_body) {
    const ngx_int_t rc = ngx_http_read_unbuffered_request_body(r);
    if (ctx->too_large) {
      ngx_http_finalize_request(r, ngx_http_pairport_too_large(r, ctx));
      return;
    }
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE || rc == NGX_ERROR) {
      ngx_http_finalize_request(r, rc);
      return;
    }
    if (rc == NGX_AGAIN) return;
  }
  r->read_event_handler = ngx_http_block_reading;
  ngx_http_finalize_request(r, ngx_http_pairport_deposit(r, ctx));
}

static void ngx_http_pairport_body(ngx_http_request_t* r) {
  if (r->reading_body) r->read_event_handler = ngx_http_pairport_read;
  ngx_http_pairport_read(r);
}

static ngx_int_t ngx_http_pairport_read_deposit(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  ngx_int_t rc;
  /* HTTP/2 frames a body without its length. */
  if (r->headers_in.content_length_n < 0 && !r->headers_in.chunked && r->http_version < NGX_HTTP_VERSION_20) {
    /* If there is a body, it would be taken for the next request, and be logged as a bad one. */
    r->keepalive = 0;
    r->lingering_close = 1;
    return ngx_http_pairport_refuse(r, ctx, 411, "a POST request needs a Content-Length or Transfer-Encoding: chunked");
  }
  if (r->headers_in.content_length_n > PAIRPORT_MAX_BODY) {
    r->expect_tested = 1;
    (void)ngx_http_discard_request_body(r);
    return ngx_http_pairport_too_large(r, ctx);
  }
  r->request_body_no_buffering = 1;
  rc = ngx_http_read_client_request_body(r, ngx_http_pairport_body);
  if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE && ctx->too_large) return ngx_http_pairport_too_large(r, ctx);
  return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

/* ----------------------------------------------------------------------------------------------------------- errors --
 */

/* What nginx refused before it knew a location, or in one of its own modules, and error_page led here. */
static ngx_int_t ngx_http_pairport_explain(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  static const char kOptions[] = "OPTIONS *";
  const ngx_uint_t status = r->err_status != 0 ? r->err_status : r->headers_out.status;
  pairport_request request;
  switch (status) {
    case NGX_HTTP_BAD_REQUEST:
      r->lingering_close = 1;
      /* nginx does not know this target (RFC 9110 section 9.3.7). */
      if (r->http_protocol.len == 0 && r->request_start != NULL && r->header_in != NULL &&
          r->header_in->last - r->request_start >= (ptrdiff_t)(sizeof kOptions - 1) &&
          ngx_strncmp(r->request_start, kOptions, sizeof kOptions - 1) == 0) {
        ngx_http_pairport_describe(r, &request);
        request.method = PAIRPORT_METHOD_OPTIONS;
        return ngx_http_pairport_answer(r, ctx, &request);
      }
      /* Its parser takes fewer targets than the service does, and says less about what is wrong. The length of the
       * protocol is what nginx sets when the whole request line was good. Headers have not been read then. */
      if (r->http_protocol.len != 0 && r->unparsed_uri.len == 0 && r->uri_start != NULL && r->uri_end > r->uri_start) {
        ngx_http_pairport_describe(r, &request);
        request.target.data = (const char*)r->uri_start;
        request.target.size = (size_t)(r->uri_end - r->uri_start);
        return ngx_http_pairport_answer(r, ctx, &request);
      }
      return ngx_http_pairport_refuse(r, ctx, 400, "the request is not valid HTTP");
    case NGX_HTTP_NOT_ALLOWED:
      ngx_http_pairport_describe(r, &request);
      request.method = PAIRPORT_METHOD_OTHER;
      request.target = ngx_http_pairport_string(&r->unparsed_uri);
      return ngx_http_pairport_answer(r, ctx, &request);
    case NGX_HTTP_REQUEST_ENTITY_TOO_LARGE:
      return ngx_http_pairport_refuse(r, ctx, 413, "the body is larger than this server takes");
    case NGX_HTTP_REQUEST_URI_TOO_LARGE:
      return ngx_http_pairport_refuse(r, ctx, 431, "the request head is larger than this server takes");
    case NGX_HTTP_INTERNAL_SERVER_ERROR:
      return ngx_http_pairport_refuse(r, ctx, 500, "the server failed; try again later");
    case NGX_HTTP_NOT_IMPLEMENTED:
      return ngx_http_pairport_refuse(r, ctx, 501, "the request uses what this server does not know");
    case NGX_HTTP_SERVICE_UNAVAILABLE:
      return ngx_http_pairport_refuse(r, ctx, 503, "the server is busy; try again later");
    case NGX_HTTP_VERSION_NOT_SUPPORTED:
      return ngx_http_pairport_refuse(r, ctx, 505, "this server speaks HTTP/1.0 and HTTP/1.1");
    default:
      return (ngx_int_t)status;
  }
}

static ngx_int_t ngx_http_pairport_handler(ngx_http_request_t* r) {
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  ngx_http_pairport_ctx_t* ctx;
  pairport_request request;
  ngx_int_t rc;
  if (main_conf->service == NULL) return NGX_HTTP_SERVICE_UNAVAILABLE; /* the log says why */
  if (r != r->main) return NGX_HTTP_NOT_FOUND;                         /* nothing to be included in another page */
  ctx = ngx_http_pairport_context(r, main_conf);
  if (ctx == NULL) return NGX_HTTP_SERVICE_UNAVAILABLE;
  if (r->error_page) return ngx_http_pairport_explain(r, ctx);
  if (r->http_version < NGX_HTTP_VERSION_10) return NGX_HTTP_BAD_REQUEST; /* HTTP/0.9 has no status: no script for it */
  if (r->method == NGX_HTTP_POST) return ngx_http_pairport_read_deposit(r, ctx);
  rc = ngx_http_discard_request_body(r);
  if (rc != NGX_OK) return rc;
  ngx_http_pairport_describe(r, &request);
  request.target = ngx_http_pairport_target(r);
  return ngx_http_pairport_answer(r, ctx, &request);
}

/* -------------------------------------------------------------------------------------------------------- variables --
 */

static ngx_int_t ngx_http_pairport_route_variable(ngx_http_request_t* r, ngx_http_variable_value_t* value,
                                                  uintptr_t data) {
  const ngx_http_pairport_ctx_t* ctx = ngx_http_get_module_ctx(r, ngx_http_pairport_module);
  (void)data;
  if (ctx == NULL || ctx->response == NULL) {
    value->not_found = 1;
    return NGX_OK;
  }
  value->data = (u_char*)pairport_response_route(ctx->response);
  value->len = (unsigned)ngx_strlen(value->data) & 0xfffffff;
  value->valid = 1;
  value->no_cacheable = 1;
  value->not_found = 0;
  return NGX_OK;
}

static ngx_int_t ngx_http_pairport_hash_variable(ngx_http_request_t* r, ngx_http_variable_value_t* value,
                                                 uintptr_t data) {
  const ngx_http_pairport_ctx_t* ctx = ngx_http_get_module_ctx(r, ngx_http_pairport_module);
  const uint32_t hash = ctx == NULL ? 0 : pairport_response_code_hash(ctx->response);
  u_char* digits;
  (void)data;
  if (hash == 0) {
    value->not_found = 1;
    return NGX_OK;
  }
  digits = ngx_pnalloc(r->pool, 8);
  if (digits == NULL) return NGX_ERROR;
  value->data = digits;
  value->len = (unsigned)(ngx_sprintf(digits, "%08xD", hash) - digits) & 0xfffffff;
  value->valid = 1;
  value->no_cacheable = 1;
  value->not_found = 0;
  return NGX_OK;
}

static ngx_int_t ngx_http_pairport_add_variables(ngx_conf_t* cf) {
  static ngx_str_t route = ngx_string("pairport_route");
  static ngx_str_t hash = ngx_string("pairport_code_hash");
  ngx_http_variable_t* variable = ngx_http_add_variable(cf, &route, NGX_HTTP_VAR_NOCACHEABLE);
  if (variable == NULL) return NGX_ERROR;
  variable->get_handler = ngx_http_pairport_route_variable;
  variable = ngx_http_add_variable(cf, &hash, NGX_HTTP_VAR_NOCACHEABLE);
  if (variable == NULL) return NGX_ERROR;
  variable->get_handler = ngx_http_pairport_hash_variable;
  return NGX_OK;
}

/* ---------------------------------------------------------------------------------------------------- configuration --
 */

static char* ngx_http_pairport_set(ngx_conf_t* cf, ngx_command_t* cmd, void* data) {
  ngx_http_pairport_loc_conf_t* conf = data;
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pairport_module);
  ngx_http_core_loc_conf_t* location = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  char* error = ngx_conf_set_flag_slot(cf, cmd, data);
  if (error != NGX_CONF_OK) return error;
  if (conf->enable) {
    ngx_http_core_srv_conf_t** server = ngx_array_push(main_conf->servers);
    if (server == NULL) return NGX_CONF_ERROR;
    *server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    location->handler = ngx_http_pairport_handler;
    ++main_conf->locations;
  }
  return NGX_CONF_OK;
}

/* A decimal number from 0 to a million. */
static char* ngx_http_pairport_set_number(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  double* number = (double*)((char*)conf + cmd->offset);
  const ngx_str_t* text = &((ngx_str_t*)cf->args->elts)[1];
  double value = 0, place = 1;
  size_t i, digits = 0;
  int fraction = 0;
  if (*number >= 0) return "is duplicate";
  for (i = 0; i < text->len; ++i) {
    const u_char c = text->data[i];
    if (c == '.' && !fraction) {
      fraction = 1;
    } else if (c >= '0' && c <= '9') {
      ++digits;
      if (fraction) place /= 10;
      value = fraction ? value + (c - '0') * place : value * 10 + (c - '0');
    } else {
      return "takes a number, for instance 5 or 0.1";
    }
  }
  if (digits == 0 || value > 1e6) return "takes a number from 0 to 1000000";
  *number = value;
  return NGX_CONF_OK;
}

static char* ngx_http_pairport_set_static(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  (void)cmd;
  if (main_conf->static_deposit[0].data != NULL) return "is duplicate";
  ngx_memcpy(main_conf->static_deposit, (ngx_str_t*)cf->args->elts + 1, sizeof main_conf->static_deposit);
  return NGX_CONF_OK;
}

static char* ngx_http_pairport_add_digest(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  const ngx_str_t* value = cf->args->elts;
  pairport_digest* digest;
  size_t i;
  (void)cmd;
  for (i = 0; i < value[2].len && ngx_strchr("0123456789abcdefABCDEF", value[2].data[i]) != NULL; ++i) continue;
  if (value[2].len != 64 || i != 64) return "takes a file name and 64 hexadecimal digits";
  if (main_conf->digests == NULL) main_conf->digests = ngx_array_create(cf->pool, 4, sizeof(pairport_digest));
  if (main_conf->digests == NULL) return NGX_CONF_ERROR;
  digest = ngx_array_push(main_conf->digests);
  if (digest == NULL) return NGX_CONF_ERROR;
  digest->file = ngx_http_pairport_string(&value[1]);
  digest->sha256 = ngx_http_pairport_string(&value[2]);
  return NGX_CONF_OK;
}

static char* ngx_http_pairport_set_url(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  char* error = ngx_conf_set_str_slot(cf, cmd, conf);
  while (error == NGX_CONF_OK && main_conf->url.len != 0 && main_conf->url.data[main_conf->url.len - 1] == '/') {
    --main_conf->url.len;
  }
  return error;
}

static char* ngx_http_pairport_set_templates(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  ngx_file_info_t info;
  char* error = ngx_conf_set_str_slot(cf, cmd, conf);
  if (error != NGX_CONF_OK) return error;
  if (ngx_conf_full_name(cf->cycle, &main_conf->templates, 1) != NGX_OK) return NGX_CONF_ERROR;
  if (ngx_file_info(main_conf->templates.data, &info) == NGX_FILE_ERROR || !ngx_is_dir(&info)) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "pairport_templates: \"%V\" is not a folder that can be read",
                       &main_conf->templates);
    return NGX_CONF_ERROR;
  }
  return NGX_CONF_OK;
}

#define NGX_HTTP_PAIRPORT_ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)
#define NGX_HTTP_PAIRPORT_SETTING(name, arguments, set, member)                                 \
  {                                                                                             \
    ngx_string(name), NGX_HTTP_PAIRPORT_ANYWHERE | (arguments), set, NGX_HTTP_MAIN_CONF_OFFSET, \
        offsetof(ngx_http_pairport_main_conf_t, member), NULL                                   \
  }

static ngx_command_t ngx_http_pairport_commands[] = {
    {ngx_string("pairport"), NGX_HTTP_LOC_CONF | NGX_CONF_FLAG, ngx_http_pairport_set, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_pairport_loc_conf_t, enable), NULL},
    {ngx_string("pairport_access_log"), NGX_HTTP_PAIRPORT_ANYWHERE | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_http_pairport_loc_conf_t, access_log), NULL},
    NGX_HTTP_PAIRPORT_SETTING("pairport_url", NGX_CONF_TAKE1, ngx_http_pairport_set_url, url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_ttl", NGX_CONF_TAKE1, ngx_conf_set_sec_slot, ttl),
    NGX_HTTP_PAIRPORT_SETTING("pairport_code_length", NGX_CONF_TAKE1, ngx_conf_set_num_slot, code_length),
    NGX_HTTP_PAIRPORT_SETTING("pairport_max_deposits", NGX_CONF_TAKE1, ngx_conf_set_num_slot, max_deposits),
    NGX_HTTP_PAIRPORT_SETTING("pairport_max_memory", NGX_CONF_TAKE1, ngx_conf_set_off_slot, max_memory),
    NGX_HTTP_PAIRPORT_SETTING("pairport_require_locked_memory", NGX_CONF_FLAG, ngx_conf_set_flag_slot,
                              require_locked_memory),
    NGX_HTTP_PAIRPORT_SETTING("pairport_first_worker", NGX_CONF_FLAG, ngx_conf_set_flag_slot, first_worker),
    NGX_HTTP_PAIRPORT_SETTING("pairport_deposits_per_second", NGX_CONF_TAKE1, ngx_http_pairport_set_number,
                              deposits_per_second),
    NGX_HTTP_PAIRPORT_SETTING("pairport_deposit_burst", NGX_CONF_TAKE1, ngx_http_pairport_set_number, deposit_burst),
    NGX_HTTP_PAIRPORT_SETTING("pairport_misses_per_second", NGX_CONF_TAKE1, ngx_http_pairport_set_number,
                              misses_per_second),
    NGX_HTTP_PAIRPORT_SETTING("pairport_miss_burst", NGX_CONF_TAKE1, ngx_http_pairport_set_number, miss_burst),
    NGX_HTTP_PAIRPORT_SETTING("pairport_ipv6_budgets", NGX_CONF_TAKE1, ngx_conf_set_str_slot, ipv6_budgets),
    NGX_HTTP_PAIRPORT_SETTING("pairport_network_share", NGX_CONF_TAKE1, ngx_http_pairport_set_number, network_share),
    NGX_HTTP_PAIRPORT_SETTING("pairport_static_deposit", NGX_CONF_TAKE5, ngx_http_pairport_set_static, static_deposit),
    NGX_HTTP_PAIRPORT_SETTING("pairport_version", NGX_CONF_TAKE1, ngx_conf_set_str_slot, version),
    NGX_HTTP_PAIRPORT_SETTING("pairport_unstable_version", NGX_CONF_TAKE1, ngx_conf_set_str_slot, unstable_version),
    NGX_HTTP_PAIRPORT_SETTING("pairport_linux_url", NGX_CONF_TAKE1, ngx_conf_set_str_slot, linux_url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_windows_url", NGX_CONF_TAKE1, ngx_conf_set_str_slot, windows_url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_checksums_url", NGX_CONF_TAKE1, ngx_conf_set_str_slot, checksums_url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_deb_repo", NGX_CONF_TAKE1, ngx_conf_set_str_slot, deb_repo),
    NGX_HTTP_PAIRPORT_SETTING("pairport_rpm_repo", NGX_CONF_TAKE1, ngx_conf_set_str_slot, rpm_repo),
    NGX_HTTP_PAIRPORT_SETTING("pairport_repo_keys", NGX_CONF_TAKE1, ngx_conf_set_str_slot, repo_keys),
    NGX_HTTP_PAIRPORT_SETTING("pairport_tacoscript_url", NGX_CONF_TAKE1, ngx_conf_set_str_slot, tacoscript_url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_use_repositories", NGX_CONF_FLAG, ngx_conf_set_flag_slot, use_repositories),
    NGX_HTTP_PAIRPORT_SETTING("pairport_strict_checksums", NGX_CONF_FLAG, ngx_conf_set_flag_slot, strict_checksums),
    NGX_HTTP_PAIRPORT_SETTING("pairport_sha256", NGX_CONF_TAKE2, ngx_http_pairport_add_digest, digests),
    NGX_HTTP_PAIRPORT_SETTING("pairport_templates", NGX_CONF_TAKE1, ngx_http_pairport_set_templates, templates),
    ngx_null_command};

static void* ngx_http_pairport_create_main_conf(ngx_conf_t* cf) {
  ngx_http_pairport_main_conf_t* conf = ngx_pcalloc(cf->pool, sizeof *conf);
  if (conf == NULL) return NULL;
  conf->ttl = NGX_CONF_UNSET;
  conf->code_length = NGX_CONF_UNSET;
  conf->max_deposits = NGX_CONF_UNSET;
  conf->max_memory = NGX_CONF_UNSET;
  conf->require_locked_memory = NGX_CONF_UNSET;
  conf->deposits_per_second = conf->deposit_burst = conf->misses_per_second = conf->miss_burst = -1;
  conf->network_share = -1;
  conf->use_repositories = NGX_CONF_UNSET;
  conf->strict_checksums = NGX_CONF_UNSET;
  conf->parts_fd = NGX_INVALID_FILE;
  conf->first_worker = NGX_CONF_UNSET;
  conf->servers = ngx_array_create(cf->pool, 4, sizeof(ngx_http_core_srv_conf_t*));
  conf->sockets = ngx_array_create(cf->pool, 4, sizeof(struct sockaddr*));
  conf->texts = ngx_array_create(cf->pool, 64, sizeof(ngx_http_pairport_template_t));
  conf->text_pool = cf->pool;
  ngx_queue_init(&conf->requests);
  return conf->servers == NULL || conf->sockets == NULL || conf->texts == NULL ? NULL : conf;
}

static void* ngx_http_pairport_create_loc_conf(ngx_conf_t* cf) {
  ngx_http_pairport_loc_conf_t* conf = ngx_pcalloc(cf->pool, sizeof *conf);
  if (conf == NULL) return NULL;
  conf->enable = NGX_CONF_UNSET;
  conf->access_log = NGX_CONF_UNSET;
  return conf;
}

/* Whether `mirror` holds in the location that is being merged. The structure is that module's own; its first member is
 * the array of targets, NULL without any (ngx_http_mirror_module.c, 1.13.4 to 1.28). Being a part of nginx, it has been
 * merged before. */
static ngx_uint_t ngx_http_pairport_is_mirrored(ngx_conf_t* cf) {
  const ngx_http_conf_ctx_t* context = cf->ctx;
  ngx_module_t* const* modules = cf->cycle->modules;
  ngx_uint_t i;
  for (i = 0; i < cf->cycle->modules_n; ++i) {
    if (modules[i]->name != NULL && ngx_strcmp(modules[i]->name, "ngx_http_mirror_module") == 0) {
      ngx_array_t* const* targets = context->loc_conf[modules[i]->ctx_index];
      return targets != NULL && *targets != NULL;
    }
  }
  return 0;
}

static char* ngx_http_pairport_merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) {
  ngx_http_pairport_loc_conf_t* outer = parent;
  ngx_http_pairport_loc_conf_t* conf = child;
  ngx_http_core_loc_conf_t* location = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  ngx_conf_merge_value(conf->access_log, outer->access_log, 0);
  /* Only the blocks `if` and `limit_except` are still the same location. */
  if (conf->enable == NGX_CONF_UNSET) conf->enable = location->noname && outer->enable == 1;
  if (!conf->enable) return NGX_CONF_OK;
  if (location->handler == NULL) location->handler = ngx_http_pairport_handler;
  if (ngx_http_pairport_is_mirrored(cf)) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "pairport: \"mirror\" would send codes and credentials of the location \"%V\", which has "
                  "\"pairport on\", elsewhere, and write them to files: set \"mirror off\" in this location",
                  &location->name);
    return NGX_CONF_ERROR;
  }
  /* What is left to be written is empty; not even that. */
  location->client_body_in_file_only = 0; /* NGX_HTTP_REQUEST_BODY_FILE_OFF, which only nginx knows */
  location->client_body_in_single_buffer = 0;
  /* Bodies are bounded here, with an answer of the service's; a lower bound stays. */
  if (location->client_max_body_size >= PAIRPORT_MAX_BODY) location->client_max_body_size = 0;
  return NGX_CONF_OK;
}

/* Files are read when the configuration is, by the master, and kept. */
static int ngx_http_pairport_load(void* user, pairport_string name, pairport_string* text) {
  ngx_http_pairport_main_conf_t* conf = user;
  ngx_http_pairport_template_t* known = conf->texts->elts;
  ngx_file_info_t info;
  u_char path[NGX_MAX_PATH];
  ngx_uint_t i;
  ngx_fd_t fd;
  ssize_t size;
  for (i = 0; i < conf->texts->nelts; ++i) {
    if (known[i].name.len == name.size && ngx_strncmp(known[i].name.data, name.data, name.size) == 0) {
      *text = ngx_http_pairport_string(&known[i].text);
      return known[i].text.data != NULL;
    }
  }
  if (conf->text_log == NULL) return 0; /* of a worker, which has asked for all of them in its master already */
  known = ngx_array_push(conf->texts);
  if (known == NULL) return 0;
  ngx_memzero(known, sizeof *known);
  known->name.data = ngx_pnalloc(conf->text_pool, name.size);
  if (known->name.data == NULL) return 0;
  ngx_memcpy(known->name.data, name.data, name.size);
  known->name.len = name.size;
  if (conf->templates.len + name.size + 2 > sizeof path) return 0;
  *ngx_sprintf(path, "%V/%*s", &conf->templates, name.size, name.data) = '\0';
  fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
  if (fd == NGX_INVALID_FILE) {
    if (ngx_errno != NGX_ENOENT) {
      ngx_log_error(NGX_LOG_WARN, conf->text_log, ngx_errno, "pairport_templates: \"%s\" cannot be read", path);
    }
    return 0;
  }
  if (ngx_fd_info(fd, &info) != NGX_FILE_ERROR && ngx_file_size(&info) > 0 &&
      ngx_file_size(&info) <= PAIRPORT_MAX_TEMPLATE) {
    known->text.data = ngx_pnalloc(conf->text_pool, (size_t)ngx_file_size(&info));
    size = known->text.data == NULL ? -1 : ngx_read_fd(fd, known->text.data, (size_t)ngx_file_size(&info));
    known->text.len = size < 0 ? 0 : (size_t)size;
    if (size < 0) known->text.data = NULL;
  }
  (void)ngx_close_file(fd);
  *text = ngx_http_pairport_string(&known->text);
  return known->text.data != NULL;
}

static void ngx_http_pairport_choose(pairport_string* option, const ngx_str_t* setting) {
  if (setting->data != NULL) *option = ngx_http_pairport_string(setting);
}

static int ngx_http_pairport_create_service(ngx_http_pairport_main_conf_t* conf, pairport_service** service,
                                            char* message, size_t message_size) {
  pairport_options options;
  const pairport_now now = ngx_http_pairport_now();
  const int code = pairport_options_init(&options, sizeof options);
  if (code != PAIRPORT_OK) return code;
  options.url = ngx_http_pairport_string(&conf->url);
  if (conf->ttl != NGX_CONF_UNSET) options.ttl_ms = (uint64_t)conf->ttl * 1000;
  if (conf->code_length != NGX_CONF_UNSET) options.code_length = (size_t)conf->code_length;
  if (conf->max_deposits != NGX_CONF_UNSET) options.max_deposits = (size_t)conf->max_deposits;
  if (conf->max_memory != NGX_CONF_UNSET) options.max_memory = (size_t)conf->max_memory;
  if (conf->require_locked_memory == 1) options.minimum_memory = PAIRPORT_MEMORY_LOCKED;
  if (conf->deposits_per_second >= 0) options.deposits_per_second = conf->deposits_per_second;
  if (conf->deposit_burst >= 0) options.deposit_burst = conf->deposit_burst;
  if (conf->misses_per_second >= 0) options.misses_per_second = conf->misses_per_second;
  if (conf->miss_burst >= 0) options.miss_burst = conf->miss_burst;
  ngx_http_pairport_choose(&options.ipv6_budgets, &conf->ipv6_budgets);
  if (conf->network_share >= 0) options.network_share = conf->network_share;
  ngx_http_pairport_choose(&options.static_code, &conf->static_deposit[0]);
  ngx_http_pairport_choose(&options.static_connect_url, &conf->static_deposit[1]);
  ngx_http_pairport_choose(&options.static_fingerprint, &conf->static_deposit[2]);
  ngx_http_pairport_choose(&options.static_client_id, &conf->static_deposit[3]);
  ngx_http_pairport_choose(&options.static_password, &conf->static_deposit[4]);
  ngx_http_pairport_choose(&options.version, &conf->version);
  ngx_http_pairport_choose(&options.unstable_version, &conf->unstable_version);
  ngx_http_pairport_choose(&options.linux_url, &conf->linux_url);
  ngx_http_pairport_choose(&options.windows_url, &conf->windows_url);
  ngx_http_pairport_choose(&options.checksums_url, &conf->checksums_url);
  ngx_http_pairport_choose(&options.deb_repo, &conf->deb_repo);
  ngx_http_pairport_choose(&options.rpm_repo, &conf->rpm_repo);
  ngx_http_pairport_choose(&options.repo_keys, &conf->repo_keys);
  ngx_http_pairport_choose(&options.tacoscript_url, &conf->tacoscript_url);
  if (conf->use_repositories != NGX_CONF_UNSET) options.use_repositories = conf->use_repositories == 1;
  if (conf->strict_checksums != NGX_CONF_UNSET) options.strict_checksums = conf->strict_checksums == 1;
  if (conf->digests != NULL) {
    options.digests = conf->digests->elts;
    options.digest_count = conf->digests->nelts;
  }
  options.hash_codes = 1;
  if (conf->templates.len != 0) {
    options.load_template = ngx_http_pairport_load;
    options.template_user = conf;
  }
  return pairport_service_create(&options, &now, service, message, message_size);
}

/* Tries what every worker will do, so that nothing but memory can be wrong there. */
static ngx_int_t ngx_http_pairport_check(ngx_conf_t* cf, ngx_http_pairport_main_conf_t* conf) {
  pairport_service* service = NULL;
  char message[1024] = "";
  int code;
  if (conf->url.len == 0) {
    ngx_log_error(
        NGX_LOG_EMERG, cf->log, 0,
        "pairport_url is missing: the URL at which clients reach the location with \"pairport on\", for instance "
        "\"pairport_url https://pairing.example.com;\"");
    return NGX_ERROR;
  }
  conf->text_log = cf->log;
  code = ngx_http_pairport_create_service(conf, &service, message, sizeof message);
  conf->text_log = NULL;
  if (code != PAIRPORT_OK) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "pairport: %s", message[0] != '\0' ? message : pairport_status_text(code));
    return NGX_ERROR;
  }
  pairport_service_destroy(service);
  return NGX_OK;
}

static ngx_int_t ngx_http_pairport_postconfiguration(ngx_conf_t* cf) {
  ngx_http_pairport_main_conf_t* conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pairport_module);
  ngx_http_core_main_conf_t* core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
  ngx_http_handler_pt* handler;
  if (conf->locations == 0) return NGX_OK;
  if (ngx_http_pairport_check(cf, conf) != NGX_OK) return NGX_ERROR;
  handler = ngx_array_push(&core->phases[NGX_HTTP_REWRITE_PHASE].handlers);
  if (handler == NULL) return NGX_ERROR;
  *handler = ngx_http_pairport_shield;
  ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
  ngx_http_top_request_body_filter = ngx_http_pairport_body_filter;
  return NGX_OK;
}

/* ------------------------------------------------------------------------------------------------------- processes --
 */

/* Puts the file's first bytes into one huge page: page by page, sendfile is as slow as the copy (1.06 of what nginx
 * needs for a file of that size; so 1.01). Whether the kernel does it or not, the file is the same. */
static void ngx_http_pairport_collapse(ngx_fd_t fd) {
  char *area, *aligned;
  if (ftruncate(fd, (off_t)PAIRPORT_HUGE_PAGE) != 0) return;
  area = mmap(NULL, 2 * PAIRPORT_HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return;
  aligned = (char*)ngx_align_ptr(area, PAIRPORT_HUGE_PAGE);
  if (mmap(aligned, PAIRPORT_HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED) {
    (void)madvise(aligned, PAIRPORT_HUGE_PAGE, MADV_COLLAPSE);
  }
  (void)munmap(area, 2 * PAIRPORT_HUGE_PAGE);
}

/* Without it, answers are copied from memory. */
static void ngx_http_pairport_make_file(ngx_http_pairport_main_conf_t* conf, ngx_log_t* log) {
  pairport_string parts[PAIRPORT_MAX_PARTS];
  const size_t count = pairport_service_static_parts(conf->service, parts, PAIRPORT_MAX_PARTS);
  off_t offset = 0;
  size_t i;
  conf->part_count = 0;
  conf->parts_fd = memfd_create("pairport", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (conf->parts_fd == NGX_INVALID_FILE) {
    ngx_log_error(NGX_LOG_NOTICE, log, ngx_errno, "pairport: no file in memory for sendfile");
    return;
  }
  for (i = 0; i < count && i < PAIRPORT_MAX_PARTS; ++i) {
    ngx_http_pairport_part_t* part = &conf->parts[conf->part_count];
    if (parts[i].size < PAIRPORT_MIN_SENDFILE) continue;
    if (pwrite(conf->parts_fd, parts[i].data, parts[i].size, offset) != (ssize_t)parts[i].size) continue;
    part->data = parts[i].data;
    part->size = parts[i].size;
    part->offset = offset;
    ++conf->part_count;
    offset += (off_t)ngx_align(parts[i].size, ngx_pagesize); /* each in pages of its own */
  }
  if ((size_t)offset <= PAIRPORT_HUGE_PAGE) ngx_http_pairport_collapse(conf->parts_fd);
  (void)fcntl(conf->parts_fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

/* Of any worker but the first: nginx's loops over listening sockets skip those without a connection. */
static void ngx_http_pairport_leave_alone(ngx_cycle_t* cycle, const ngx_http_pairport_main_conf_t* conf) {
  ngx_listening_t* listening = cycle->listening.elts;
  struct sockaddr* const* sockets = conf->sockets->elts;
  ngx_uint_t i, j;
  for (i = 0; i < cycle->listening.nelts; ++i) {
    ngx_connection_t* c = listening[i].connection;
    for (j = 0; j < conf->sockets->nelts && sockets[j] != listening[i].sockaddr; ++j) continue;
    if (c == NULL || j == conf->sockets->nelts) continue;
    if (c->read->active) (void)ngx_del_event(c->read, NGX_READ_EVENT, 0);
    ngx_free_connection(c);
    c->fd = (ngx_socket_t)-1;
    listening[i].connection = NULL;
  }
}

static ngx_int_t ngx_http_pairport_init_process(ngx_cycle_t* cycle) {
  ngx_http_pairport_main_conf_t* conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pairport_module);
  static const char* const kLevels[] = {"plain", "locked", "memfd_secret"};
  char message[1024] = "";
  pairport_stats stats;
  ngx_uint_t level;
  int code;
  if (conf == NULL || conf->locations == 0) return NGX_OK;
  if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) return NGX_OK;
  if (ngx_process == NGX_PROCESS_WORKER && ngx_worker != 0) {
    ngx_http_pairport_leave_alone(cycle, conf);
    return NGX_OK;
  }
  /* nginx makes its workers dumpable after they have changed their user: no core dump, no ptrace by that user. */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno, "pairport: core dumps cannot be switched off");
  }
  code = ngx_http_pairport_create_service(conf, &conf->service, message, sizeof message);
  if (code != PAIRPORT_OK) {
    /* The other locations have done nothing wrong: this one answers 503. */
    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "pairport: locations with \"pairport on\" answer 503: %s%s",
                  message[0] != '\0' ? message : pairport_status_text(code),
                  code == PAIRPORT_MEMORY_NOT_LOCKED ? "; raise RLIMIT_MEMLOCK (LimitMEMLOCK= in a systemd unit)" : "");
    return NGX_OK;
  }
  ngx_http_pairport_make_file(conf, cycle->log);
  stats.size = sizeof stats;
  (void)pairport_service_stats(conf->service, &stats);
  conf->memory_level = stats.memory_level;
  level = stats.memory_level == PAIRPORT_MEMORY_PLAIN ? NGX_LOG_WARN : NGX_LOG_NOTICE;
  ngx_log_error(level, cycle->log, 0, "pairport %s: memory for credentials: %s", pairport_version(),
                kLevels[stats.memory_level]);
  if (conf->code_length != NGX_CONF_UNSET &&
      pairport_describe_short_code((size_t)conf->code_length, message, sizeof message) != 0) {
    ngx_log_error(NGX_LOG_WARN, cycle->log, 0, "pairport_code_length: %s", message);
  }
  conf->expiry_ident.fd = (ngx_socket_t)-1;
  conf->expiry_ident.data = conf;
  conf->expiry.handler = ngx_http_pairport_expire;
  conf->expiry.data = &conf->expiry_ident;
  conf->expiry.log = cycle->log;
  conf->expiry.cancelable = 1; /* does not keep a worker that is to end */
  return NGX_OK;
}

static void ngx_http_pairport_exit_process(ngx_cycle_t* cycle) {
  ngx_http_pairport_main_conf_t* conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pairport_module);
  if (conf == NULL || conf->service == NULL) return;
  if (conf->expiry.timer_set) ngx_del_timer(&conf->expiry);
  /* Requests that are cut off: nginx does not clean up after them any more. */
  while (!ngx_queue_empty(&conf->requests)) {
    ngx_http_pairport_release(ngx_queue_data(ngx_queue_head(&conf->requests), ngx_http_pairport_ctx_t, link));
  }
  pairport_service_destroy(conf->service);
  conf->service = NULL;
  if (conf->parts_fd != NGX_INVALID_FILE) (void)ngx_close_file(conf->parts_fd);
}

static ngx_http_module_t ngx_http_pairport_module_ctx = {
    ngx_http_pairport_add_variables, /* preconfiguration */
    ngx_http_pairport_postconfiguration,
    ngx_http_pairport_create_main_conf,
    NULL, /* init main configuration */
    NULL, /* create server configuration */
    NULL, /* merge server configuration */
    ngx_http_pairport_create_loc_conf,
    ngx_http_pairport_merge_loc_conf,
};

ngx_module_t ngx_http_pairport_module = {
    NGX_MODULE_V1,
    &ngx_http_pairport_module_ctx,
    ngx_http_pairport_commands,
    NGX_HTTP_MODULE,
    NULL, /* init master */
    NULL, /* init module */
    ngx_http_pairport_init_process,
    NULL, /* init thread */
    NULL, /* exit thread */
    ngx_http_pairport_exit_process,
    NULL, /* exit master */
    NGX_MODULE_V1_PADDING,
};

static ngx_uint_t ngx_http_pairport_has_server(const ngx_http_pairport_main_conf_t* conf, const ngx_array_t* servers) {
  ngx_http_core_srv_conf_t* const* with = conf->servers->elts;
  ngx_http_core_srv_conf_t* const* listed = servers->elts;
  ngx_uint_t i, j;
  for (i = 0; i < servers->nelts; ++i) {
    for (j = 0; j < conf->servers->nelts; ++j) {
      if (listed[i] == with[j]) return 1;
    }
  }
  return 0;
}

/* Whether connections to this socket may be for a server with pairport. All addresses of a port count, because one
 * socket may serve several of them; paths of Unix sockets are each on their own. */
static ngx_uint_t ngx_http_pairport_serves(const ngx_http_pairport_main_conf_t* conf, const ngx_array_t* ports,
                                           const ngx_listening_t* listening) {
  const ngx_http_conf_port_t* port = ports->elts;
  const struct sockaddr* address = listening->sockaddr;
  ngx_uint_t i, j;
  for (i = 0; i < ports->nelts; ++i) {
    const ngx_http_conf_addr_t* listed = port[i].addrs.elts;
    if (port[i].family != address->sa_family) continue;
    if (address->sa_family != AF_UNIX && port[i].port != ngx_inet_get_port((struct sockaddr*)address)) continue;
    for (j = 0; j < port[i].addrs.nelts; ++j) {
      if (address->sa_family == AF_UNIX && ngx_cmp_sockaddr(listed[j].opt.sockaddr, listed[j].opt.socklen,
                                                            listening->sockaddr, listening->socklen, 1) != NGX_OK) {
        continue;
      }
      if (ngx_http_pairport_has_server(conf, &listed[j].servers)) return 1;
    }
  }
  return 0;
}

static char* ngx_http_pairport_choose_sockets(ngx_cycle_t* cycle, ngx_http_pairport_main_conf_t* conf) {
  const ngx_http_core_main_conf_t* core = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);
  const ngx_event_conf_t* events = ngx_event_get_conf(cycle->conf_ctx, ngx_event_core_module);
  const ngx_listening_t* listening = cycle->listening.elts;
  ngx_uint_t i;
  /* Whoever has it keeps it while nothing arrives at the sockets that it knows. */
  if (events->accept_mutex) {
    ngx_log_error(
        NGX_LOG_EMERG, cycle->log, 0,
        "pairport: with \"pairport_first_worker on\" and \"accept_mutex on\" the first worker might wait forever: "
        "leave \"accept_mutex\" off, as it is by default");
    return NGX_CONF_ERROR;
  }
  for (i = 0; i < cycle->listening.nelts; ++i) {
    struct sockaddr** chosen;
    if (listening[i].handler != ngx_http_init_connection ||
        !ngx_http_pairport_serves(conf, core->ports, &listening[i])) {
      continue;
    }
    if (listening[i].reuseport) {
      ngx_log_error(
          NGX_LOG_EMERG, cycle->log, 0,
          "pairport: \"listen %V reuseport\" gives each worker a socket of its own, but only the first worker has the "
          "codes: leave \"reuseport\" out",
          &listening[i].addr_text);
      return NGX_CONF_ERROR;
    }
    chosen = ngx_array_push(conf->sockets);
    if (chosen == NULL) return NGX_CONF_ERROR;
    *chosen = listening[i].sockaddr;
  }
  return NGX_CONF_OK;
}

/* A module of the core as well: only these are asked when everything has been read, and may still refuse it; with a
 * reload the old configuration then stays in force. */
static char* ngx_pairport_init_conf(ngx_cycle_t* cycle, void* unused) {
  const ngx_core_conf_t* core = (const ngx_core_conf_t*)ngx_get_conf(cycle->conf_ctx, ngx_core_module);
  ngx_http_pairport_main_conf_t* conf;
  (void)unused;
  if (cycle->conf_ctx[ngx_http_module.index] == NULL) return NGX_CONF_OK;
  conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pairport_module);
  if (conf->locations == 0 || core->worker_processes <= 1 || !core->master) return NGX_CONF_OK;
  if (conf->first_worker == 1) return ngx_http_pairport_choose_sockets(cycle, conf);
  ngx_log_error(
      NGX_LOG_EMERG, cycle->log, 0,
      "pairport: there are %i worker processes, and each would know only the codes that it handed out itself, "
      "so that clients would get 404 at random: set \"worker_processes 1\", or \"pairport_first_worker on\", "
      "which lets the first worker alone accept connections to the ports of servers with pairport",
      core->worker_processes);
  return NGX_CONF_ERROR;
}

static ngx_core_module_t ngx_pairport_core_module_ctx = {ngx_string("pairport"), NULL, ngx_pairport_init_conf};

ngx_module_t ngx_pairport_core_module = {
    NGX_MODULE_V1, &ngx_pairport_core_module_ctx, NULL, NGX_CORE_MODULE, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL,          NGX_MODULE_V1_PADDING,
};

/* What load_module looks for. */
ngx_module_t* ngx_modules[] = {&ngx_http_pairport_module, &ngx_pairport_core_module, NULL};
char* ngx_module_names[] = {"ngx_http_pairport_module", "ngx_pairport_core_module", NULL};
char* ngx_module_order[] = {NULL};
