/* SPDX-License-Identifier: MIT
 * Bodies of deposits.
 *
 * Invariant: a filter moves every piece of a body to secret memory, whichever module reads the body. No other module
 * sees it, and nginx never writes it to a file. */
#include "module.h"

static ngx_http_request_body_filter_pt ngx_http_next_request_body_filter;

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

/* Every body of a location with `pairport on` passes this filter, also when another module reads it. That module gets
 * an empty body, and no byte is left for a file, whatever client_body_in_file_only, client_body_in_single_buffer and
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

static ngx_int_t ngx_http_pairport_too_large(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  /* Do not wait for the rest: send no "100 Continue", and end the connection, with lingering so that the answer
   * arrives. */
  r->expect_tested = 1;
  r->keepalive = 0;
  r->lingering_close = 1;
  return ngx_http_pairport_refuse(r, ctx, 413, "the body is larger than 16384 bytes");
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
  /* The client may read the answer slowly; the body is not needed any more. */
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

ngx_int_t ngx_http_pairport_read_deposit(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  ngx_int_t rc;
  /* HTTP/2 frames a body, so it needs no length. */
  if (r->headers_in.content_length_n < 0 && !r->headers_in.chunked && r->http_version < NGX_HTTP_VERSION_20) {
    /* nginx would parse a body as the next request, and log it as a bad one. */
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

void ngx_http_pairport_filter_bodies(void) {
  ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
  ngx_http_top_request_body_filter = ngx_http_pairport_body_filter;
}
