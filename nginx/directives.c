/* SPDX-License-Identifier: MIT
 * The directives. Each setting may be in any location, but only once, because there is one service. */
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

/* NGX_CONF_OK when the directive occurs for the first time; an error when it is repeated, or without memory. */
static char* ngx_http_pairport_once(const ngx_command_t* cmd, ngx_http_pairport_main_conf_t* conf) {
  const ngx_command_t** given = conf->given->elts;
  ngx_uint_t i;
  for (i = 0; i < conf->given->nelts; ++i) {
    if (given[i] == cmd) return "is duplicate";
  }
  given = ngx_array_push(conf->given);
  if (given == NULL) return NGX_CONF_ERROR;
  *given = cmd;
  return NGX_CONF_OK;
}

/* Reads the argument with `set`, a setter of nginx, into `value`, which is not set yet. */
static char* ngx_http_pairport_read_as(ngx_conf_t* cf, const ngx_command_t* cmd, ngx_http_pairport_main_conf_t* conf,
                                       char* (*set)(ngx_conf_t*, ngx_command_t*, void*), void* value) {
  ngx_command_t here = *cmd;
  char* error = ngx_http_pairport_once(cmd, conf);
  here.offset = 0;
  return error == NGX_CONF_OK ? set(cf, &here, value) : error;
}

/* The setters of the kinds of options. They write to the member of pairport_options. The library checks the values when
 * the whole configuration has been read. */

static char* ngx_http_pairport_set_text(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  char* error = ngx_http_pairport_once(cmd, conf);
  if (error == NGX_CONF_OK) {
    *(pairport_string*)((char*)conf + cmd->offset) = ngx_http_pairport_string(&((ngx_str_t*)cf->args->elts)[1]);
  }
  return error;
}

static char* ngx_http_pairport_set_flag(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_flag_t value = NGX_CONF_UNSET;
  char* error = ngx_http_pairport_read_as(cf, cmd, conf, ngx_conf_set_flag_slot, &value);
  if (error == NGX_CONF_OK) *(int*)((char*)conf + cmd->offset) = value == 1;
  return error;
}

static char* ngx_http_pairport_set_count(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_int_t value = NGX_CONF_UNSET;
  char* error = ngx_http_pairport_read_as(cf, cmd, conf, ngx_conf_set_num_slot, &value);
  if (error == NGX_CONF_OK) *(size_t*)((char*)conf + cmd->offset) = (size_t)value;
  return error;
}

static char* ngx_http_pairport_set_bytes(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  off_t value = NGX_CONF_UNSET;
  char* error = ngx_http_pairport_read_as(cf, cmd, conf, ngx_conf_set_off_slot, &value);
  if (error == NGX_CONF_OK) *(size_t*)((char*)conf + cmd->offset) = (size_t)value;
  return error;
}

static char* ngx_http_pairport_set_milliseconds(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  time_t value = NGX_CONF_UNSET;
  char* error = ngx_http_pairport_read_as(cf, cmd, conf, ngx_conf_set_sec_slot, &value);
  if (error == NGX_CONF_OK) *(uint64_t*)((char*)conf + cmd->offset) = (uint64_t)value * 1000;
  return error;
}

/* A decimal number; nginx has no setter for fractions. */
static char* ngx_http_pairport_set_number(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  const ngx_str_t* text = &((ngx_str_t*)cf->args->elts)[1];
  double value = 0, place = 1;
  size_t i, digits = 0;
  int fraction = 0;
  char* error = ngx_http_pairport_once(cmd, conf);
  if (error != NGX_CONF_OK) return error;
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
  if (digits == 0) return "takes a number, for instance 5 or 0.1";
  *(double*)((char*)conf + cmd->offset) = value;
  return NGX_CONF_OK;
}

/* Options whose form in the configuration differs from that of the library. */

static char* ngx_http_pairport_set_locked(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  int* level = (int*)((char*)conf + cmd->offset);
  char* error = ngx_http_pairport_set_flag(cf, cmd, conf);
  if (error == NGX_CONF_OK) *level = *level ? PAIRPORT_MEMORY_LOCKED : PAIRPORT_MEMORY_PLAIN;
  return error;
}

static char* ngx_http_pairport_set_static(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  pairport_options* options = &((ngx_http_pairport_main_conf_t*)conf)->options;
#define PAIRPORT_ADDRESS(member) &options->member,
  pairport_string* const members[] = {PAIRPORT_STATIC_DEPOSIT(PAIRPORT_ADDRESS)};
#undef PAIRPORT_ADDRESS
  const ngx_str_t* value = cf->args->elts;
  size_t i;
  char* error = ngx_http_pairport_once(cmd, conf);
  if (error != NGX_CONF_OK) return error;
  if (cf->args->nelts - 1 > sizeof members / sizeof members[0]) return "has more values than a deposit has fields";
  /* The library names each field that is missing. */
  for (i = 0; i < cf->args->nelts - 1; ++i) *members[i] = ngx_http_pairport_string(&value[i + 1]);
  return NGX_CONF_OK;
}

static char* ngx_http_pairport_add_digest(ngx_conf_t* cf, ngx_command_t* cmd, void* conf) {
  ngx_http_pairport_main_conf_t* main_conf = conf;
  const ngx_str_t* value = cf->args->elts;
  pairport_digest* digest;
  (void)cmd;
  if (main_conf->digests == NULL) main_conf->digests = ngx_array_create(cf->pool, 4, sizeof(pairport_digest));
  if (main_conf->digests == NULL) return NGX_CONF_ERROR;
  digest = ngx_array_push(main_conf->digests);
  if (digest == NULL) return NGX_CONF_ERROR;
  digest->file = ngx_http_pairport_string(&value[1]);
  digest->sha256 = ngx_http_pairport_string(&value[2]);
  return NGX_CONF_OK;
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

#define PAIRPORT_ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)
#define PAIRPORT_SETTING(name, arguments, set, offset) \
  { ngx_string(name), PAIRPORT_ANYWHERE | (arguments), set, NGX_HTTP_MAIN_CONF_OFFSET, offset, NULL }
#define PAIRPORT_MEMBER(member) offsetof(ngx_http_pairport_main_conf_t, member)

/* The type of the member that the setter of a kind writes; a member of another type does not compile. */
#define PAIRPORT_TYPE_text pairport_string
#define PAIRPORT_TYPE_count size_t
#define PAIRPORT_TYPE_bytes size_t
#define PAIRPORT_TYPE_milliseconds uint64_t
#define PAIRPORT_TYPE_number double
#define PAIRPORT_TYPE_flag int
#define PAIRPORT_OPTION_MEMBER(kind, member) \
  PAIRPORT_MEMBER(options.member) * sizeof(char[_Generic(((pairport_options*)0)->member, PAIRPORT_TYPE_##kind : 1)])

#define PAIRPORT_ARGUMENTS_text NGX_CONF_TAKE1
#define PAIRPORT_ARGUMENTS_count NGX_CONF_TAKE1
#define PAIRPORT_ARGUMENTS_bytes NGX_CONF_TAKE1
#define PAIRPORT_ARGUMENTS_milliseconds NGX_CONF_TAKE1
#define PAIRPORT_ARGUMENTS_number NGX_CONF_TAKE1
#define PAIRPORT_ARGUMENTS_flag NGX_CONF_FLAG

/* The directive of a setting of the library. */
#define PAIRPORT_DIRECTIVE(kind, member, name)                                                \
  PAIRPORT_SETTING("pairport_" name, PAIRPORT_ARGUMENTS_##kind, ngx_http_pairport_set_##kind, \
                   PAIRPORT_OPTION_MEMBER(kind, member)),

ngx_command_t ngx_http_pairport_commands[] = {
    {ngx_string("pairport"), NGX_HTTP_LOC_CONF | NGX_CONF_FLAG, ngx_http_pairport_set, NGX_HTTP_LOC_CONF_OFFSET,
     offsetof(ngx_http_pairport_loc_conf_t, enable), NULL},
    {ngx_string("pairport_access_log"), PAIRPORT_ANYWHERE | NGX_CONF_FLAG, ngx_conf_set_flag_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_http_pairport_loc_conf_t, access_log), NULL},
    PAIRPORT_SETTING("pairport_first_worker", NGX_CONF_FLAG, ngx_conf_set_flag_slot, PAIRPORT_MEMBER(first_worker)),
    PAIRPORT_OPTIONS(PAIRPORT_DIRECTIVE)
        PAIRPORT_SETTING("pairport_require_locked_memory", NGX_CONF_FLAG, ngx_http_pairport_set_locked,
                         PAIRPORT_OPTION_MEMBER(flag, minimum_memory)),
    PAIRPORT_SETTING("pairport_static_deposit", NGX_CONF_1MORE, ngx_http_pairport_set_static, 0),
    PAIRPORT_SETTING("pairport_sha256", NGX_CONF_TAKE2, ngx_http_pairport_add_digest, 0),
    PAIRPORT_SETTING("pairport_templates", NGX_CONF_TAKE1, ngx_http_pairport_set_templates, PAIRPORT_MEMBER(templates)),
    ngx_null_command};

void* ngx_http_pairport_create_main_conf(ngx_conf_t* cf) {
  ngx_http_pairport_main_conf_t* conf = ngx_pcalloc(cf->pool, sizeof *conf);
  if (conf == NULL || pairport_options_init(&conf->options, sizeof conf->options) != PAIRPORT_OK) return NULL;
  conf->options.url = ngx_http_pairport_literal(""); /* there is no useful default */
  conf->parts_fd = NGX_INVALID_FILE;
  conf->first_worker = NGX_CONF_UNSET;
  conf->given = ngx_array_create(cf->pool, 16, sizeof(const ngx_command_t*));
  conf->servers = ngx_array_create(cf->pool, 4, sizeof(ngx_http_core_srv_conf_t*));
  conf->sockets = ngx_array_create(cf->pool, 4, sizeof(struct sockaddr*));
  conf->texts = ngx_array_create(cf->pool, 64, sizeof(ngx_http_pairport_template_t));
  conf->text_pool = cf->pool;
  ngx_queue_init(&conf->requests);
  if (conf->given == NULL || conf->servers == NULL || conf->sockets == NULL || conf->texts == NULL) return NULL;
  return conf;
}

void* ngx_http_pairport_create_loc_conf(ngx_conf_t* cf) {
  ngx_http_pairport_loc_conf_t* conf = ngx_pcalloc(cf->pool, sizeof *conf);
  if (conf == NULL) return NULL;
  conf->enable = NGX_CONF_UNSET;
  conf->access_log = NGX_CONF_UNSET;
  return conf;
}

/* Whether `mirror` is active in the location that is being merged. The structure is private to that module; its first
 * member is the array of targets, NULL without targets (ngx_http_mirror_module.c, 1.13.4 to 1.28). The module is a part
 * of nginx, so it has been merged before ours. */
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
  /* Only the blocks `if` and `limit_except` inherit `pairport on`: they are the same location. */
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
  /* The filter leaves an empty body: do not write even that to a file. */
  location->client_body_in_file_only = 0; /* NGX_HTTP_REQUEST_BODY_FILE_OFF, which only nginx knows */
  location->client_body_in_single_buffer = 0;
  /* This module limits bodies itself, with an answer of the service. Keep a lower limit of the configuration. */
  if (location->client_max_body_size >= PAIRPORT_MAX_BODY) location->client_max_body_size = 0;
  return NGX_CONF_OK;
}
