/* SPDX-License-Identifier: MIT
 * Answers in the words of the service for requests that nginx refuses: error_page redirects them to this code. */
#include "module.h"

/* For a request that nginx refused before it knew a location, or in one of its own modules. */
ngx_int_t ngx_http_pairport_explain(ngx_http_request_t* r, ngx_http_pairport_ctx_t* ctx) {
  static const char kOptions[] = "OPTIONS *";
  const ngx_uint_t status = r->err_status != 0 ? r->err_status : r->headers_out.status;
  pairport_request request;
  switch (status) {
    case NGX_HTTP_BAD_REQUEST:
      r->lingering_close = 1;
      /* nginx does not support this target (RFC 9110 section 9.3.7). */
      if (r->http_protocol.len == 0 && r->request_start != NULL && r->header_in != NULL &&
          r->header_in->last - r->request_start >= (ptrdiff_t)(sizeof kOptions - 1) &&
          ngx_strncmp(r->request_start, kOptions, sizeof kOptions - 1) == 0) {
        ngx_http_pairport_describe(r, &request);
        request.method = PAIRPORT_METHOD_OPTIONS;
        return ngx_http_pairport_answer(r, ctx, &request);
      }
      /* The parser of nginx accepts fewer targets than the service, and its errors say less. nginx sets the length of
       * the protocol when the whole request line is valid. It has not read the headers then. */
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
