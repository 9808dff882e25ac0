/* SPDX-License-Identifier: MIT
 * A program that was compiled with the headers of version one (tests/abi/version_1), linked with a library whose
 * structures have grown since. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include <pairport/pairport_uv.h>

static int failures = 0;

#define EXPECT(condition)                                                     \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: %s: not so\n", __func__, __LINE__, #condition); \
      ++failures;                                                             \
    }                                                                         \
  } while (0)

static void on_stopped(void* user) {
  *(int*)user = 1;
}

int main(void) {
  static const pairport_now kNow = {1000, 1790000000};
  pairport_string address = {"127.0.0.1:0", 11};
  pairport_listen_options listen_options = {0};
  pairport_server_options server_options;
  pairport_options options;
  pairport_request request = {0};
  pairport_service* service = NULL;
  pairport_server* server = NULL;
  pairport_response* response = NULL;
  pairport_stats stats;
  char message[256] = "";
  uv_loop_t loop;
  int stopped = 0;

  EXPECT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
  EXPECT(pairport_options_init(&options, sizeof options) == PAIRPORT_OK);
  EXPECT(options.size == sizeof options && options.url.size != 0);
  EXPECT(pairport_service_create(&options, &kNow, &service, message, sizeof message) == PAIRPORT_OK);
  EXPECT(message[0] == '\0');
  EXPECT(pairport_response_create(service, &response) == PAIRPORT_OK);
  request.size = sizeof request;
  request.target.data = "/update";
  request.target.size = 7;
  EXPECT(pairport_handle(service, &request, &kNow, response) == PAIRPORT_OK);
  EXPECT(pairport_response_status(response) == 200);
  stats.size = sizeof stats;
  EXPECT(pairport_service_stats(service, &stats) == PAIRPORT_OK);
  EXPECT(stats.size == sizeof stats && stats.deposits == 0);
  pairport_response_destroy(response);

  EXPECT(uv_loop_init(&loop) == 0);
  EXPECT(pairport_server_options_init(&server_options, sizeof server_options) == PAIRPORT_OK);
  EXPECT(pairport_server_attach(&loop, service, &server_options, &server, message, sizeof message) == PAIRPORT_OK);
  listen_options.size = sizeof listen_options;
  EXPECT(pairport_server_listen(server, address, &listen_options, NULL, 0, message, sizeof message) == PAIRPORT_OK);
  EXPECT(message[0] == '\0');
  EXPECT(pairport_server_stop(server, on_stopped, &stopped) == PAIRPORT_OK);
  EXPECT(uv_run(&loop, UV_RUN_DEFAULT) == 0 && stopped);
  EXPECT(pairport_server_destroy(server) == PAIRPORT_OK);
  EXPECT(uv_loop_close(&loop) == 0);
  pairport_service_destroy(service);
  return failures != 0;
}
