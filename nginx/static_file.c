/* SPDX-License-Identifier: MIT
 * Long static text in a memory file, so that sendfile(2) can send it.
 *
 * Invariant: the file is complete and sealed before the first request, and holds no secret. */
#include "module.h"

#include <fcntl.h>
#include <sys/mman.h>

/* sendfile(2) sends static text of at least this size, if nginx uses sendfile, so that the kernel does not copy it
 * either. For shorter text the additional system call costs more than the copy. */
#define PAIRPORT_MIN_SENDFILE 16384
#define PAIRPORT_MAX_PARTS 64
/* Since Linux 6.1; the C library may be older. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define PAIRPORT_HUGE_PAGE ((size_t)2 * 1024 * 1024)

/* Puts the beginning of the file into one huge page. With small pages sendfile is as slow as the copy: the module needs
 * 1.06 of the time that nginx needs for a file of that size, with a huge page 1.01. If the kernel refuses, the file
 * still works. */
static void ngx_http_pairport_collapse(ngx_fd_t fd) {
  char *area, *aligned;
  if (ftruncate(fd, (off_t)PAIRPORT_HUGE_PAGE) != 0) return;
  area = mmap(NULL, 2 * PAIRPORT_HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return;
  aligned = (char*)ngx_align_ptr(area, PAIRPORT_HUGE_PAGE);
  if (mmap(aligned, PAIRPORT_HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED) {
    (void)madvise(aligned, PAIRPORT_HUGE_PAGE, MADV_COLLAPSE);
  }
  (void)munmap(area, 2 * PAIRPORT_HUGE_PAGE);
}

/* Without the file, nginx copies answers from memory. */
void ngx_http_pairport_make_file(ngx_http_pairport_main_conf_t* conf, ngx_log_t* log) {
  pairport_string parts[PAIRPORT_MAX_PARTS];
  const size_t count = pairport_service_static_parts(conf->service, parts, PAIRPORT_MAX_PARTS);
  off_t offset = 0;
  size_t i;
  conf->part_count = 0;
  conf->parts_fd = memfd_create("pairport", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (conf->parts_fd == NGX_INVALID_FILE) {
    ngx_log_error(NGX_LOG_NOTICE, log, ngx_errno, "pairport: no file in memory for sendfile");
    return;
  }
  for (i = 0; i < count && i < PAIRPORT_MAX_PARTS; ++i) {
    ngx_http_pairport_part_t* part = &conf->parts[conf->part_count];
    if (parts[i].size < PAIRPORT_MIN_SENDFILE) continue;
    if (pwrite(conf->parts_fd, parts[i].data, parts[i].size, offset) != (ssize_t)parts[i].size) continue;
    part->data = parts[i].data;
    part->size = parts[i].size;
    part->offset = offset;
    ++conf->part_count;
    offset += (off_t)ngx_align(parts[i].size, ngx_pagesize); /* each part begins a page */
  }
  if ((size_t)offset <= PAIRPORT_HUGE_PAGE) ngx_http_pairport_collapse(conf->parts_fd);
  (void)fcntl(conf->parts_fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
}

/* If `buf` is long static text, also names its place in the file. nginx then sends it from the file or from memory, as
 * the connection allows. */
ngx_int_t ngx_http_pairport_offer_file(ngx_http_request_t* r, ngx_buf_t* buf) {
  const ngx_http_pairport_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_pairport_module);
  ngx_uint_t i;
  if (buf->last - buf->pos < PAIRPORT_MIN_SENDFILE || main_conf->parts_fd == NGX_INVALID_FILE) return NGX_OK;
  for (i = 0; i < main_conf->part_count && main_conf->parts[i].data != (const char*)buf->pos; ++i) continue;
  if (i == main_conf->part_count || main_conf->parts[i].size != (size_t)(buf->last - buf->pos)) return NGX_OK;
  buf->file = ngx_pcalloc(r->pool, sizeof(ngx_file_t)); /* one for each request: nginx keeps state in it */
  if (buf->file == NULL) return NGX_ERROR;
  buf->file->fd = main_conf->parts_fd;
  buf->file->log = r->connection->log;
  ngx_str_set(&buf->file->name, "static text of pairport");
  buf->file_pos = main_conf->parts[i].offset;
  buf->file_last = buf->file_pos + (off_t)main_conf->parts[i].size;
  buf->in_file = 1;
  return NGX_OK;
}
