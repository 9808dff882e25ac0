/* SPDX-License-Identifier: MIT
 * Sends an answer of the service through nginx: headers, and fragments without copying. */
#include "module.h"

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

/* Passes the answer to nginx without copying a byte. */
static ngx_int_t ngx_http_pairport_send(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  struct {
    ngx_chain_t link;
    ngx_buf_t buf;
  } * pieces;
  pairport_string fragments[PAIRPORT_MAX_FRAGMENTS];
  size_t count, longest, i;
  ngx_int_t rc;

  /* Needed for error_page, whose status would override ours. */
  r->err_status = 0;
  r->headers_out.status = (ngx_uint_t)pairport_response_status(ctx->response);
  r->headers_out.status_line.len = 0;
  r->headers_out.content_length_n =
      pairport_response_has_content_length(ctx->response) ? (off_t)pairport_response_content_length(ctx->response) : -1;
  if (ngx_http_pairport_add_headers(r, ctx->response) != NGX_OK) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  /* The service handles conditions, ranges and compression. The gzip filter of nginx would also keep credentials in its
   * own buffers, and the length of an answer would reveal something about them. */
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

ngx_int_t ngx_http_pairport_answer(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx,
                                   const pairport_request* request) {
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  const pairport_now now = ngx_http_pairport_now();
  int status;
  if (pairport_handle(main_conf->service, request, &now, ctx->response) != PAIRPORT_OK) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  /* For deposits the timer wipes them when they expire; for guesses it logs them. */
  status = pairport_response_status(ctx->response);
  if (request->method == PAIRPORT_METHOD_POST || status == NGX_HTTP_NOT_FOUND || status == NGX_HTTP_TOO_MANY_REQUESTS) {
    ngx_http_pairport_arm(main_conf);
  }
  return ngx_http_pairport_send(r, ctx);
}

ngx_int_t ngx_http_pairport_refuse(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx, int status, const char* text) {
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  pairport_request request;
  ngx_http_pairport_describe(r, &request);
  if (pairport_refuse(main_conf->service, status, ngx_http_pairport_literal(text), request.accept,
                      ngx_http_pairport_method_asked(r), ctx->response) != PAIRPORT_OK) {
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  }
  return ngx_http_pairport_send(r, ctx);
}
