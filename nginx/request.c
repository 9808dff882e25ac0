/* SPDX-License-Identifier: MIT
 * A request in a location with `pairport on`: hidden from the logs, then handled.
 *
 * Invariant: no log gets the request line. */
#include "module.h"

/* Replaces the handler of nginx, which shows the request line. */
static u_char* ngx_http_pairport_log(ngx_http_request_t* r, ngx_http_request_t* sr, u_char* buf, size_t len) {
  ngx_http_core_srv_conf_t* server = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
  (void)sr;
  return ngx_snprintf(buf, len, ", server: %V, request: of a location with pairport", &server->server_name);
}

/* The first code that runs when the location is known, before any code may log the request. */
ngx_int_t ngx_http_pairport_shield(ngx_http_request_t* r) {
  const ngx_http_pairport_loc_conf_t* conf = ngx_http_get_module_loc_conf(r, ngx_http_pairport_module);
  if (conf->enable) {
    r->log_handler = ngx_http_pairport_log;
    if (!conf->access_log) r->logged = 1;
  }
  return NGX_DECLINED;
}

ngx_int_t ngx_http_pairport_handler(ngx_http_request_t* r) {
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  ngx_http_pairport_ctx_t* ctx;
  pairport_request request;
  ngx_int_t rc;
  if (main_conf->service == NULL) return NGX_HTTP_SERVICE_UNAVAILABLE; /* the log says why */
  if (r != r->main) return NGX_HTTP_NOT_FOUND; /* no subrequests: other pages must not include an answer */
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
