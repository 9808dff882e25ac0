/* SPDX-License-Identifier: MIT
 * The state that the module keeps for a request, until the memory of the request is freed.
 *
 * Invariants:
 * - A response belongs to the clean-up of the request's pool: nginx runs it after the last byte is sent or given up.
 * - The same clean-up wipes the memory into which nginx itself has read the request line and the body. */
#include "module.h"

void ngx_http_pairport_release(ngx_http_pairport_ctx_t* ctx) {
  if (ctx->response == NULL && ctx->buffer == NULL) return;
  pairport_response_destroy(ctx->response);
  pairport_buffer_destroy(ctx->buffer);
  ctx->response = NULL;
  ctx->buffer = NULL;
  ngx_queue_remove(&ctx->link);
}

/* Runs when nothing uses the request any more, and before its memory is freed. */
static void ngx_http_pairport_cleanup(void* data) {
  ngx_http_pairport_ctx_t* ctx = data;
  ngx_http_request_t* r = ctx->request;
  ngx_connection_t* c = r->connection;
  ngx_buf_t* buf;
  ngx_http_pairport_release(ctx);
  /* HTTP/2 and HTTP/3 keep targets in the tables of their header compression, some of them constant, and pieces of
   * bodies in a buffer of the connection. The filter has wiped the pieces of this request; the rest belongs to other
   * requests. */
  if (r->http_version < NGX_HTTP_VERSION_20) {
    ngx_http_pairport_wipe(&r->unparsed_uri);
    if (!r->internal) ngx_http_pairport_wipe(&r->uri); /* the URI of a redirect is a part of the configuration */
    buf = r->header_in;
    /* Bytes behind `pos` belong to the next request. */
    if (buf != NULL && buf->start != NULL && buf->pos > buf->start) {
      pairport_wipe(buf->start, (size_t)(buf->pos - buf->start));
    }
    buf = r->request_body == NULL ? NULL : r->request_body->buf;
    if (buf != NULL && buf != r->header_in && buf->start != NULL) {
      pairport_wipe(buf->start, (size_t)(buf->end - buf->start));
    }
  }
#if (NGX_SSL)
  /* nginx copies small pieces of answers into one buffer before it encrypts them. */
  if (c->ssl != NULL && c->ssl->buf != NULL && c->ssl->buf->start != NULL && c->ssl->buf->pos == c->ssl->buf->last) {
    pairport_wipe(c->ssl->buf->start, (size_t)(c->ssl->buf->end - c->ssl->buf->start));
  }
#else
  (void)c;
#endif
}

ngx_http_pairport_ctx_t* ngx_http_pairport_context(ngx_http_request_t* r, ngx_http_pairport_main_conf_t* main_conf) {
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
