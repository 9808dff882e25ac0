/* SPDX-License-Identifier: MIT
 * With several worker processes, only the first one accepts connections for locations with `pairport on`. */
#include "module.h"

/* For every worker but the first. The loops of nginx over listening sockets skip sockets without a connection. */
void ngx_http_pairport_leave_sockets(ngx_cycle_t* cycle, const ngx_http_pairport_main_conf_t* conf) {
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
 * socket may serve several of them. Each path of a Unix socket counts separately. */
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

char* ngx_http_pairport_choose_sockets(ngx_cycle_t* cycle, ngx_http_pairport_main_conf_t* conf) {
  const ngx_http_core_main_conf_t* core = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);
  const ngx_event_conf_t* events = ngx_event_get_conf(cycle->conf_ctx, ngx_event_core_module);
  const ngx_listening_t* listening = cycle->listening.elts;
  ngx_uint_t i;
  /* A worker that holds accept_mutex keeps it while no connection arrives at its own sockets. */
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
