/* SPDX-License-Identifier: MIT
 * The worker process with the service: its start and end, the timer that wipes expired deposits, and messages to the
 * operator.
 *
 * Invariant: the service is created here, because secret memory is not inherited. */
#include "module.h"

#include <sys/prctl.h>

/* Deposits that one call wipes, in about 0.1 ms, so that a mass expiry does not add to the latency of requests. */
#define PAIRPORT_EXPIRY_WORK 1000
#define PAIRPORT_EXPIRY_INTERVAL_MS 100
#define PAIRPORT_LOG_INTERVAL_MS 60000

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

/* Logs at most once a minute. */
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
  } /* else the next deposit arms the timer */
}

void ngx_http_pairport_arm(ngx_http_pairport_main_conf_t* main_conf) {
  if (!main_conf->expiry.timer_set) ngx_add_timer(&main_conf->expiry, PAIRPORT_EXPIRY_INTERVAL_MS);
}

ngx_int_t ngx_http_pairport_init_process(ngx_cycle_t* cycle) {
  ngx_http_pairport_main_conf_t* conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pairport_module);
  static const char* const kLevels[] = {"plain", "locked", "memfd_secret"};
  char message[1024] = "";
  pairport_stats stats;
  ngx_uint_t level;
  int code;
  if (conf == NULL || conf->locations == 0) return NGX_OK;
  if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) return NGX_OK;
  if (ngx_process == NGX_PROCESS_WORKER && ngx_worker != 0) {
    ngx_http_pairport_leave_sockets(cycle, conf);
    return NGX_OK;
  }
  /* nginx makes its workers dumpable after it has changed their user. Undo that: no core dumps, no ptrace by the user.
   */
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno, "pairport: core dumps cannot be switched off");
  }
  code = ngx_http_pairport_create_service(conf, &conf->service, message, sizeof message);
  if (code != PAIRPORT_OK) {
    /* Other locations must still work, so only locations with pairport answer 503. */
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
  if (pairport_describe_short_code(conf->options.code_length, message, sizeof message) != 0) {
    ngx_log_error(NGX_LOG_WARN, cycle->log, 0, "pairport_code_length: %s", message);
  }
  conf->expiry_ident.fd = (ngx_socket_t)-1;
  conf->expiry_ident.data = conf;
  conf->expiry.handler = ngx_http_pairport_expire;
  conf->expiry.data = &conf->expiry_ident;
  conf->expiry.log = cycle->log;
  conf->expiry.cancelable = 1; /* does not delay a worker that shuts down */
  return NGX_OK;
}

void ngx_http_pairport_exit_process(ngx_cycle_t* cycle) {
  ngx_http_pairport_main_conf_t* conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pairport_module);
  if (conf == NULL || conf->service == NULL) return;
  if (conf->expiry.timer_set) ngx_del_timer(&conf->expiry);
  /* nginx runs no clean-up for requests that are cut off now: release them here. */
  while (!ngx_queue_empty(&conf->requests)) {
    ngx_http_pairport_release(ngx_queue_data(ngx_queue_head(&conf->requests), ngx_http_pairport_ctx_t, link));
  }
  pairport_service_destroy(conf->service);
  conf->service = NULL;
  if (conf->parts_fd != NGX_INVALID_FILE) (void)ngx_close_file(conf->parts_fd);
}
