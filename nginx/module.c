/* SPDX-License-Identifier: MIT
 * The symbols that nginx needs in the file of a dynamic module: an http module and a core module. */
#include "module.h"

static ngx_int_t ngx_http_pairport_postconfiguration(ngx_conf_t* cf) {
  ngx_http_pairport_main_conf_t* conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pairport_module);
  ngx_http_core_main_conf_t* core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
  ngx_http_handler_pt* handler;
  if (conf->locations == 0) return NGX_OK;
  if (ngx_http_pairport_check_service(cf, conf) != NGX_OK) return NGX_ERROR;
  handler = ngx_array_push(&core->phases[NGX_HTTP_REWRITE_PHASE].handlers);
  if (handler == NULL) return NGX_ERROR;
  *handler = ngx_http_pairport_shield;
  ngx_http_pairport_filter_bodies();
  return NGX_OK;
}

static ngx_http_module_t ngx_http_pairport_module_ctx = {
    ngx_http_pairport_add_variables, /* preconfiguration */
    ngx_http_pairport_postconfiguration,
    ngx_http_pairport_create_main_conf,
    NULL, /* init main configuration */
    NULL, /* create server configuration */
    NULL, /* merge server configuration */
    ngx_http_pairport_create_loc_conf,
    ngx_http_pairport_merge_loc_conf,
};

ngx_module_t ngx_http_pairport_module = {
    NGX_MODULE_V1,
    &ngx_http_pairport_module_ctx,
    ngx_http_pairport_commands,
    NGX_HTTP_MODULE,
    NULL, /* init master */
    NULL, /* init module */
    ngx_http_pairport_init_process,
    NULL, /* init thread */
    NULL, /* exit thread */
    ngx_http_pairport_exit_process,
    NULL, /* exit master */
    NGX_MODULE_V1_PADDING,
};

/* nginx calls only core modules after the whole configuration has been read, when they can still refuse it. On a reload
 * the old configuration then stays in use. */
static char* ngx_pairport_init_conf(ngx_cycle_t* cycle, void* unused) {
  const ngx_core_conf_t* core = (const ngx_core_conf_t*)ngx_get_conf(cycle->conf_ctx, ngx_core_module);
  ngx_http_pairport_main_conf_t* conf;
  (void)unused;
  if (cycle->conf_ctx[ngx_http_module.index] == NULL) return NGX_CONF_OK;
  conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pairport_module);
  if (conf->locations == 0 || core->worker_processes <= 1 || !core->master) return NGX_CONF_OK;
  if (conf->first_worker == 1) return ngx_http_pairport_choose_sockets(cycle, conf);
  ngx_log_error(
      NGX_LOG_EMERG, cycle->log, 0,
      "pairport: there are %i worker processes, and each would know only the codes that it handed out itself, "
      "so that clients would get 404 at random: set \"worker_processes 1\", or \"pairport_first_worker on\", "
      "which lets the first worker alone accept connections to the ports of servers with pairport",
      core->worker_processes);
  return NGX_CONF_ERROR;
}

static ngx_core_module_t ngx_pairport_core_module_ctx = {ngx_string("pairport"), NULL, ngx_pairport_init_conf};

ngx_module_t ngx_pairport_core_module = {
    NGX_MODULE_V1, &ngx_pairport_core_module_ctx, NULL, NGX_CORE_MODULE, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL,          NGX_MODULE_V1_PADDING,
};

/* load_module looks for these symbols; no other symbol of this file is visible. */
#define PAIRPORT_VISIBLE __attribute__((visibility("default")))
PAIRPORT_VISIBLE ngx_module_t* ngx_modules[] = {&ngx_http_pairport_module, &ngx_pairport_core_module, NULL};
PAIRPORT_VISIBLE char* ngx_module_names[] = {"ngx_http_pairport_module", "ngx_pairport_core_module", NULL};
PAIRPORT_VISIBLE char* ngx_module_order[] = {NULL};
