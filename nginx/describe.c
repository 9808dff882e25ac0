/* SPDX-License-Identifier: MIT
 * A request in the form of the service: a view of the request that nginx has parsed. */
#include "module.h"

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

/* As in the program, the first value that is not empty counts. After a bad request line there are no headers yet. */
static void ngx_http_pairport_headers(const ngx_http_request_t* r, pairport_request* request) {
  static const struct {
    const char* name;
    size_t size;
    size_t offset;
  } kHeaders[] = {
#define PAIRPORT_HEADER(member, name) {name, sizeof(name) - 1, offsetof(pairport_request, member)},
      PAIRPORT_REQUEST_HEADERS(PAIRPORT_HEADER)
#undef PAIRPORT_HEADER
  };
  const ngx_list_part_t* part;
  ngx_uint_t i;
  size_t j;
  for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
    const ngx_table_elt_t* header = part->elts;
    for (i = 0; i < part->nelts; ++i) {
      for (j = 0; j < sizeof kHeaders / sizeof kHeaders[0]; ++j) {
        pairport_string* value = (pairport_string*)((char*)request + kHeaders[j].offset);
        if (value->size == 0 && header[i].key.len == kHeaders[j].size &&
            ngx_strncasecmp(header[i].key.data, (u_char*)kHeaders[j].name, kHeaders[j].size) == 0) {
          *value = ngx_http_pairport_string(&header[i].value);
        }
      }
    }
  }
}

/* The address after ngx_http_realip_module. */
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

/* The target below the location: with `location /pair/`, /pair/<code> becomes /<code>. It is still encoded, as the
 * client sent it. A target with an encoded prefix does not match, and is unknown to the service. */
pairport_string ngx_http_pairport_target(ngx_http_request_t* r) {
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

void ngx_http_pairport_describe(ngx_http_request_t* r, pairport_request* request) {
  ngx_memzero(request, sizeof *request);
  request->size = sizeof *request;
  request->method = ngx_http_pairport_method(r);
  ngx_http_pairport_headers(r, request);
  ngx_http_pairport_address(r->connection->sockaddr, request->address);
}

/* The method that the client has sent: error_page turns every method but HEAD into GET. */
int ngx_http_pairport_method_asked(const ngx_http_request_t* r) {
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
