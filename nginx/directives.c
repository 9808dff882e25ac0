/* SPDX-License-Identifier: MIT
 * The directives, and what they say before anything of it is used: every setting may be written where it is convenient,
 * and once, because there is one service. */
#include "module.h"

static char* ngx_http_pairport_set(ngx_conf_t* cf, ngx_command_t* cmd, void* data) {
  ngx_http_pairport_loc_conf_t* conf = data;
  ngx_http_pairport_main_conf_t* main_conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pairport_module);
  ngx_http_core_loc_conf_t* location = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  char* error = ngx_conf_set_flag_slot(cf, cmd, data);
  if (error != NGX_CONF_OK) return error;
  if (conf->enable) {
    ngx_http_core_srv_conf_t** server = ngx_array_push(main_conf->servers);
    if (server == NULL) return NGX_CONF_ERROR;
    *server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    location->handler = ngx_http_pairport_handler;
    ++main_conf->locations;
  }
  return NGX_CONF_OK;
}

/* A decimal number from 0 to a million. */
static char* ngx_http_pairport_set_number(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  double* number = (double*)((char*)conf + cmd->offset);
  const ngx_str_t* text = &((ngx_str_t*)cf->args->elts)[1];
  double value = 0, place = 1;
  size_t i, digits = 0;
  int fraction = 0;
  if (*number >= 0) return "is duplicate";
  for (i = 0; i < text->len; ++i) {
    const u_char c = text->data[i];
    if (c == '.' && !fraction) {
      fraction = 1;
    } else if (c >= '0' && c <= '9') {
      ++digits;
      if (fraction) place /= 10;
      value = fraction ? value + (c - '0') * place : value * 10 + (c - '0');
    } else {
      return "takes a number, for instance 5 or 0.1";
    }
  }
  if (digits == 0 || value > 1e6) return "takes a number from 0 to 1000000";
  *number = value;
  return NGX_CONF_OK;
}

static char* ngx_http_pairport_set_static(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  (void)cmd;
  if (main_conf->static_deposit[0].data != NULL) return "is duplicate";
  ngx_memcpy(main_conf->static_deposit, (ngx_str_t*)cf->args->elts + 1, sizeof main_conf->static_deposit);
  return NGX_CONF_OK;
}

static char* ngx_http_pairport_add_digest(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  const ngx_str_t* value = cf->args->elts;
  pairport_digest* digest;
  size_t i;
  (void)cmd;
  for (i = 0; i < value[2].len && ngx_strchr("0123456789abcdefABCDEF", value[2].data[i]) != NULL; ++i) continue;
  if (value[2].len != 64 || i != 64) return "takes a file name and 64 hexadecimal digits";
  if (main_conf->digests == NULL) main_conf->digests = ngx_array_create(cf->pool, 4, sizeof(pairport_digest));
  if (main_conf->digests == NULL) return NGX_CONF_ERROR;
  digest = ngx_array_push(main_conf->digests);
  if (digest == NULL) return NGX_CONF_ERROR;
  digest->file = ngx_http_pairport_string(&value[1]);
  digest->sha256 = ngx_http_pairport_string(&value[2]);
  return NGX_CONF_OK;
}

static char* ngx_http_pairport_set_url(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  char* error = ngx_conf_set_str_slot(cf, cmd, conf);
  while (error == NGX_CONF_OK && main_conf->url.len != 0 && main_conf->url.data[main_conf->url.len - 1] == '/') {
    --main_conf->url.len;
  }
  return error;
}

static char* ngx_http_pairport_set_templates(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  ngx_file_info_t info;
  char* error = ngx_conf_set_str_slot(cf, cmd, conf);
  if (error != NGX_CONF_OK) return error;
  if (ngx_conf_full_name(cf->cycle, &main_conf->templates, 1) != NGX_OK) return NGX_CONF_ERROR;
  if (ngx_file_info(main_conf->templates.data, &info) == NGX_FILE_ERROR || !ngx_is_dir(&info)) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "pairport_templates: \"%V\" is not a folder that can be read",
                       &main_conf->templates);
    return NGX_CONF_ERROR;
  }
  return NGX_CONF_OK;
}

#define NGX_HTTP_PAIRPORT_ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)
#define NGX_HTTP_PAIRPORT_SETTING(name, arguments, set, member)                                 \
  {                                                                                             \
    ngx_string(name), NGX_HTTP_PAIRPORT_ANYWHERE | (arguments), set, NGX_HTTP_MAIN_CONF_OFFSET, \
        offsetof(ngx_http_pairport_main_conf_t, member), NULL                                   \
  }

ngx_command_t ngx_http_pairport_commands[] = {
    {ngx_string("pairport"), NGX_HTTP_LOC_CONF | NGX_CONF_FLAG, ngx_http_pairport_set, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_pairport_loc_conf_t, enable), NULL},
    {ngx_string("pairport_access_log"), NGX_HTTP_PAIRPORT_ANYWHERE | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_http_pairport_loc_conf_t, access_log), NULL},
    NGX_HTTP_PAIRPORT_SETTING("pairport_url", NGX_CONF_TAKE1, ngx_http_pairport_set_url, url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_ttl", NGX_CONF_TAKE1, ngx_conf_set_sec_slot, ttl),
    NGX_HTTP_PAIRPORT_SETTING("pairport_code_length", NGX_CONF_TAKE1, ngx_conf_set_num_slot, code_length),
    NGX_HTTP_PAIRPORT_SETTING("pairport_max_deposits", NGX_CONF_TAKE1, ngx_conf_set_num_slot, max_deposits),
    NGX_HTTP_PAIRPORT_SETTING("pairport_max_memory", NGX_CONF_TAKE1, ngx_conf_set_off_slot, max_memory),
    NGX_HTTP_PAIRPORT_SETTING("pairport_require_locked_memory", NGX_CONF_FLAG, ngx_conf_set_flag_slot,
                              require_locked_memory),
    NGX_HTTP_PAIRPORT_SETTING("pairport_first_worker", NGX_CONF_FLAG, ngx_conf_set_flag_slot, first_worker),
    NGX_HTTP_PAIRPORT_SETTING("pairport_deposits_per_second", NGX_CONF_TAKE1, ngx_http_pairport_set_number,
                              deposits_per_second),
    NGX_HTTP_PAIRPORT_SETTING("pairport_deposit_burst", NGX_CONF_TAKE1, ngx_http_pairport_set_number, deposit_burst),
    NGX_HTTP_PAIRPORT_SETTING("pairport_misses_per_second", NGX_CONF_TAKE1, ngx_http_pairport_set_number,
                              misses_per_second),
    NGX_HTTP_PAIRPORT_SETTING("pairport_miss_burst", NGX_CONF_TAKE1, ngx_http_pairport_set_number, miss_burst),
    NGX_HTTP_PAIRPORT_SETTING("pairport_ipv6_budgets", NGX_CONF_TAKE1, ngx_conf_set_str_slot, ipv6_budgets),
    NGX_HTTP_PAIRPORT_SETTING("pairport_network_share", NGX_CONF_TAKE1, ngx_http_pairport_set_number, network_share),
    NGX_HTTP_PAIRPORT_SETTING("pairport_static_deposit", NGX_CONF_TAKE5, ngx_http_pairport_set_static, static_deposit),
    NGX_HTTP_PAIRPORT_SETTING("pairport_version", NGX_CONF_TAKE1, ngx_conf_set_str_slot, version),
    NGX_HTTP_PAIRPORT_SETTING("pairport_unstable_version", NGX_CONF_TAKE1, ngx_conf_set_str_slot, unstable_version),
    NGX_HTTP_PAIRPORT_SETTING("pairport_linux_url", NGX_CONF_TAKE1, ngx_conf_set_str_slot, linux_url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_windows_url", NGX_CONF_TAKE1, ngx_conf_set_str_slot, windows_url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_checksums_url", NGX_CONF_TAKE1, ngx_conf_set_str_slot, checksums_url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_deb_repo", NGX_CONF_TAKE1, ngx_conf_set_str_slot, deb_repo),
    NGX_HTTP_PAIRPORT_SETTING("pairport_rpm_repo", NGX_CONF_TAKE1, ngx_conf_set_str_slot, rpm_repo),
    NGX_HTTP_PAIRPORT_SETTING("pairport_repo_keys", NGX_CONF_TAKE1, ngx_conf_set_str_slot, repo_keys),
    NGX_HTTP_PAIRPORT_SETTING("pairport_tacoscript_url", NGX_CONF_TAKE1, ngx_conf_set_str_slot, tacoscript_url),
    NGX_HTTP_PAIRPORT_SETTING("pairport_use_repositories", NGX_CONF_FLAG, ngx_conf_set_flag_slot, use_repositories),
    NGX_HTTP_PAIRPORT_SETTING("pairport_strict_checksums", NGX_CONF_FLAG, ngx_conf_set_flag_slot, strict_checksums),
    NGX_HTTP_PAIRPORT_SETTING("pairport_sha256", NGX_CONF_TAKE2, ngx_http_pairport_add_digest, digests),
    NGX_HTTP_PAIRPORT_SETTING("pairport_templates", NGX_CONF_TAKE1, ngx_http_pairport_set_templates, templates),
    ngx_null_command};

void* ngx_http_pairport_create_main_conf(ngx_conf_t* cf) {
  ngx_http_pairport_main_conf_t* conf = ngx_pcalloc(cf->pool, sizeof *conf);
  if (conf == NULL) return NULL;
  conf->ttl = NGX_CONF_UNSET;
  conf->code_length = NGX_CONF_UNSET;
  conf->max_deposits = NGX_CONF_UNSET;
  conf->max_memory = NGX_CONF_UNSET;
  conf->require_locked_memory = NGX_CONF_UNSET;
  conf->deposits_per_second = conf->deposit_burst = conf->misses_per_second = conf->miss_burst = -1;
  conf->network_share = -1;
  conf->use_repositories = NGX_CONF_UNSET;
  conf->strict_checksums = NGX_CONF_UNSET;
  conf->parts_fd = NGX_INVALID_FILE;
  conf->first_worker = NGX_CONF_UNSET;
  conf->servers = ngx_array_create(cf->pool, 4, sizeof(ngx_http_core_srv_conf_t*));
  conf->sockets = ngx_array_create(cf->pool, 4, sizeof(struct sockaddr*));
  conf->texts = ngx_array_create(cf->pool, 64, sizeof(ngx_http_pairport_template_t));
  conf->text_pool = cf->pool;
  ngx_queue_init(&conf->requests);
  return conf->servers == NULL || conf->sockets == NULL || conf->texts == NULL ? NULL : conf;
}

void* ngx_http_pairport_create_loc_conf(ngx_conf_t* cf) {
  ngx_http_pairport_loc_conf_t* conf = ngx_pcalloc(cf->pool, sizeof *conf);
  if (conf == NULL) return NULL;
  conf->enable = NGX_CONF_UNSET;
  conf->access_log = NGX_CONF_UNSET;
  return conf;
}

/* Whether `mirror` holds in the location that is being merged. The structure is that module's own; its first member is
 * the array of targets, NULL without any (ngx_http_mirror_module.c, 1.13.4 to 1.28). Being a part of nginx, it has been
 * merged before. */
static ngx_uint_t ngx_http_pairport_is_mirrored(ngx_conf_t* cf) {
  const ngx_http_conf_ctx_t* context = cf->ctx;
  ngx_module_t* const* modules = cf->cycle->modules;
  ngx_uint_t i;
  for (i = 0; i < cf->cycle->modules_n; ++i) {
    if (modules[i]->name != NULL && ngx_strcmp(modules[i]->name, "ngx_http_mirror_module") == 0) {
      ngx_array_t* const* targets = context->loc_conf[modules[i]->ctx_index];
      return targets != NULL && *targets != NULL;
    }
  }
  return 0;
}

char* ngx_http_pairport_merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) {
  ngx_http_pairport_loc_conf_t* outer = parent;
  ngx_http_pairport_loc_conf_t* conf = child;
  ngx_http_core_loc_conf_t* location = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  ngx_conf_merge_value(conf->access_log, outer->access_log, 0);
  /* Only the blocks `if` and `limit_except` are still the same location. */
  if (conf->enable == NGX_CONF_UNSET) conf->enable = location->noname && outer->enable == 1;
  if (!conf->enable) return NGX_CONF_OK;
  if (location->handler == NULL) location->handler = ngx_http_pairport_handler;
  if (ngx_http_pairport_is_mirrored(cf)) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "pairport: \"mirror\" would send codes and credentials of the location \"%V\", which has "
                  "\"pairport on\", elsewhere, and write them to files: set \"mirror off\" in this location",
                  &location->name);
    return NGX_CONF_ERROR;
  }
  /* What is left to be written is empty; not even that. */
  location->client_body_in_file_only = 0; /* NGX_HTTP_REQUEST_BODY_FILE_OFF, which only nginx knows */
  location->client_body_in_single_buffer = 0;
  /* Bodies are bounded here, with an answer of the service's; a lower bound stays. */
  if (location->client_max_body_size >= PAIRPORT_MAX_BODY) location->client_max_body_size = 0;
  return NGX_CONF_OK;
}
