/* SPDX-License-Identifier: MIT
 * Creates the service of the directives: once in the master, to find errors, and once in the worker. */
#include "module.h"

/* Bytes of a template file at most; the built-in templates are far smaller. */
#define PAIRPORT_MAX_TEMPLATE (1024 * 1024)

/* The master reads the files together with the configuration, and keeps their texts. */
static int ngx_http_pairport_load(void* user, pairport_string name, pairport_string* text) {
  ngx_http_pairport_main_conf_t* conf = user;
  ngx_http_pairport_template_t* known = conf->texts->elts;
  ngx_file_info_t info;
  u_char path[NGX_MAX_PATH];
  ngx_uint_t i;
  ngx_fd_t fd;
  ssize_t size;
  for (i = 0; i < conf->texts->nelts; ++i) {
    if (known[i].name.len == name.size && ngx_strncmp(known[i].name.data, name.data, name.size) == 0) {
      *text = ngx_http_pairport_string(&known[i].text);
      return known[i].text.data != NULL;
    }
  }
  if (conf->text_log == NULL) return 0; /* in a worker; the master has loaded all of them already */
  known = ngx_array_push(conf->texts);
  if (known == NULL) return 0;
  ngx_memzero(known, sizeof *known);
  known->name.data = ngx_pnalloc(conf->text_pool, name.size);
  if (known->name.data == NULL) return 0;
  ngx_memcpy(known->name.data, name.data, name.size);
  known->name.len = name.size;
  if (conf->templates.len + name.size + 2 > sizeof path) return 0;
  *ngx_sprintf(path, "%V/%*s", &conf->templates, name.size, name.data) = '\0';
  fd = ngx_open_file(path, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);
  if (fd == NGX_INVALID_FILE) {
    if (ngx_errno != NGX_ENOENT) {
      ngx_log_error(NGX_LOG_WARN, conf->text_log, ngx_errno, "pairport_templates: \"%s\" cannot be read", path);
    }
    return 0;
  }
  if (ngx_fd_info(fd, &info) != NGX_FILE_ERROR && ngx_file_size(&info) > 0 &&
      ngx_file_size(&info) <= PAIRPORT_MAX_TEMPLATE) {
    known->text.data = ngx_pnalloc(conf->text_pool, (size_t)ngx_file_size(&info));
    size = known->text.data == NULL ? -1 : ngx_read_fd(fd, known->text.data, (size_t)ngx_file_size(&info));
    known->text.len = size < 0 ? 0 : (size_t)size;
    if (size < 0) known->text.data = NULL;
  }
  (void)ngx_close_file(fd);
  *text = ngx_http_pairport_string(&known->text);
  return known->text.data != NULL;
}

int ngx_http_pairport_create_service(ngx_http_pairport_main_conf_t* conf, pairport_service** service, char* message,
                                     size_t message_size) {
  const pairport_now now = ngx_http_pairport_now();
  pairport_options options = conf->options;
  if (conf->digests != NULL) {
    options.digests = conf->digests->elts;
    options.digest_count = conf->digests->nelts;
  }
  options.hash_codes = 1;
  if (conf->templates.len != 0) {
    options.load_template = ngx_http_pairport_load;
    options.template_user = conf;
  }
  return pairport_service_create(&options, &now, service, message, message_size);
}

/* Creates a service for a test, so that only a lack of memory can make the worker fail. */
ngx_int_t ngx_http_pairport_check_service(ngx_conf_t* cf, ngx_http_pairport_main_conf_t* conf) {
  pairport_service* service = NULL;
  char message[1024] = "";
  int code;
  pairport_string* url = &conf->options.url;
  while (url->size != 0 && url->data[url->size - 1] == '/') --url->size;
  if (url->size == 0) {
    ngx_log_error(
        NGX_LOG_EMERG, cf->log, 0,
        "pairport_url is missing: the URL at which clients reach the location with \"pairport on\", for instance "
        "\"pairport_url https://pairing.example.com;\"");
    return NGX_ERROR;
  }
  conf->text_log = cf->log;
  code = ngx_http_pairport_create_service(conf, &service, message, sizeof message);
  conf->text_log = NULL;
  if (code != PAIRPORT_OK) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "pairport: %s", message[0] != '\0' ? message : pairport_status_text(code));
    return NGX_ERROR;
  }
  pairport_service_destroy(service);
  return NGX_OK;
}
