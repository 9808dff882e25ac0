/* SPDX-License-Identifier: MIT
 * The pairing service as a content handler of nginx, with the C interface of the library: the declarations that its
 * files share. Each file has one subject, and includes nothing of the project but this header and pairport.h.
 * From the bottom up; no two of them call each other:
 *   context.c      the state of a request                    describe.c     a request in the form of the service
 *   static_file.c  long text for sendfile(2)                 sockets.c      which worker accepts connections
 *   service.c      the service of the directives             worker.c       the worker with the service; timer and log
 *   answer.c       answers in the form of nginx              refusals.c     refusals of nginx, in the service's words
 *   body.c         bodies of deposits                        request.c      a request, from its location on
 *   variables.c    for log formats                           directives.c   the directives, and merging
 *   module.c       the two modules that nginx loads
 *
 * Invariants:
 * - One worker process creates one service for all locations with `pairport on` (secret memory is not inherited). A
 *   second service would know only the codes that it created itself. So there is only one worker, or the other workers
 *   accept no connections for these locations; any other configuration is refused.
 * - Neither the access log nor the error log gets a request line of a location with `pairport on`: codes are secrets.
 * - All code runs on the single thread of its process.
 */
#ifndef PAIRPORT_NGINX_MODULE_H_
#define PAIRPORT_NGINX_MODULE_H_

#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>

#include <time.h>

#include <pairport/pairport.h>

#define PAIRPORT_MAX_PARTS 64

/* Static text, and its place in the file. */
typedef struct {
  const char* data;
  size_t size;
  off_t offset;
} ngx_http_pairport_part_t;

typedef struct {
  ngx_str_t name;
  ngx_str_t text; /* data is NULL when there is no such file */
} ngx_http_pairport_template_t;

/* Settings may be in any location, but apply to the one service, so each may be set once. */
typedef struct {
  ngx_uint_t locations;    /* the number of locations with `pairport on` */
  ngx_array_t* servers;    /* ngx_http_core_srv_conf_t *, servers with such a location */
  ngx_array_t* sockets;    /* struct sockaddr *, of listening sockets for the first worker */
  ngx_flag_t first_worker; /* the other workers do not use these sockets */

  pairport_options options; /* the defaults, changed by the directives */
  ngx_array_t* given;       /* const ngx_command_t *, of the directives that were read */
  ngx_array_t* digests;     /* pairport_digest */
  ngx_str_t templates;      /* a folder */
  ngx_array_t* texts;       /* ngx_http_pairport_template_t, read by the master: workers may lack the right to */
  ngx_pool_t* text_pool;
  ngx_log_t* text_log;

  /* Only in a worker. */
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
  uint64_t limited; /* as last logged; `misses`, too */
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

extern ngx_module_t ngx_http_pairport_module;

static inline pairport_string ngx_http_pairport_string(const ngx_str_t* text) {
  pairport_string view = {(const char*)text->data, text->len};
  return view;
}

static inline pairport_string ngx_http_pairport_literal(const char* text) {
  pairport_string view = {text, ngx_strlen(text)};
  return view;
}

/* Reads the clock, because nginx's cached time is late when the worker is busy, and a code must not live longer for
 * that. CLOCK_BOOTTIME, unlike CLOCK_MONOTONIC, also runs while the machine is suspended. */
static inline pairport_now ngx_http_pairport_now(void) {
  struct timespec since_start;
  pairport_now now;
  (void)clock_gettime(CLOCK_BOOTTIME, &since_start);
  now.monotonic_ms = (uint64_t)since_start.tv_sec * 1000 + (uint64_t)since_start.tv_nsec / 1000000;
  now.unix_seconds = ngx_time();
  return now;
}

static inline void ngx_http_pairport_wipe(ngx_str_t* text) {
  if (text->data != NULL) pairport_wipe(text->data, text->len);
}

/* directives.c */
extern ngx_command_t ngx_http_pairport_commands[];
void* ngx_http_pairport_create_main_conf(ngx_conf_t* cf);
void* ngx_http_pairport_create_loc_conf(ngx_conf_t* cf);
char* ngx_http_pairport_merge_loc_conf(ngx_conf_t* cf, void* parent, void* child);

/* service.c: returns a code of the C interface; on failure `message` has the reason. */
int ngx_http_pairport_create_service(ngx_http_pairport_main_conf_t* conf, pairport_service** service, char* message,
                                     size_t message_size);
/* Creates a service for a test, so that only a lack of memory can make the worker fail. Logs the error. */
ngx_int_t ngx_http_pairport_check_service(ngx_conf_t* cf, ngx_http_pairport_main_conf_t* conf);

/* worker.c */
ngx_int_t ngx_http_pairport_init_process(ngx_cycle_t* cycle);
void ngx_http_pairport_exit_process(ngx_cycle_t* cycle);
/* Starts the timer that expires deposits and logs limits, unless it runs already. */
void ngx_http_pairport_arm(ngx_http_pairport_main_conf_t* main_conf);

/* sockets.c: `choose` is called after the whole configuration, `leave` when a worker other than the first starts. */
char* ngx_http_pairport_choose_sockets(ngx_cycle_t* cycle, ngx_http_pairport_main_conf_t* conf);
void ngx_http_pairport_leave_sockets(ngx_cycle_t* cycle, const ngx_http_pairport_main_conf_t* conf);

/* static_file.c */
void ngx_http_pairport_make_file(ngx_http_pairport_main_conf_t* conf, ngx_log_t* log);
/* Lets nginx send `buf` from the file, if the file has its text. NGX_ERROR: no memory. */
ngx_int_t ngx_http_pairport_offer_file(ngx_http_request_t* r, ngx_buf_t* buf);

/* context.c */
/* The context of the request, created at the first call; NULL: no memory. */
ngx_http_pairport_ctx_t* ngx_http_pairport_context(ngx_http_request_t* r, ngx_http_pairport_main_conf_t* main_conf);
/* Wipes and releases the response and the buffer of the context; may be called twice. */
void ngx_http_pairport_release(ngx_http_pairport_ctx_t* ctx);

/* request.c */
ngx_int_t ngx_http_pairport_shield(ngx_http_request_t* r);
ngx_int_t ngx_http_pairport_handler(ngx_http_request_t* r);

/* describe.c: views of `r`. `describe` leaves target and body empty. */
void ngx_http_pairport_describe(ngx_http_request_t* r, pairport_request* request);
pairport_string ngx_http_pairport_target(ngx_http_request_t* r);
int ngx_http_pairport_method_asked(const ngx_http_request_t* r);

/* body.c */
void ngx_http_pairport_filter_bodies(void);
ngx_int_t ngx_http_pairport_read_deposit(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx);

/* answer.c: both send an answer; the result is for ngx_http_finalize_request(). */
ngx_int_t ngx_http_pairport_answer(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx,
                                   const pairport_request* request);
ngx_int_t ngx_http_pairport_refuse(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx, int status, const char* text);

/* refusals.c: answers the error for which error_page redirected the request. */
ngx_int_t ngx_http_pairport_explain(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx);

/* variables.c */
ngx_int_t ngx_http_pairport_add_variables(ngx_conf_t* cf);

#endif /* PAIRPORT_NGINX_MODULE_H_ */
