/* SPDX-License-Identifier: MIT
 * Variables for log formats: $pairport_route and $pairport_code_hash. */
#include "module.h"

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

ngx_int_t ngx_http_pairport_add_variables(ngx_conf_t* cf) {
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
