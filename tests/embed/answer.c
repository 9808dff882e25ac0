/* SPDX-License-Identifier: MIT
 * Answers requests without any I/O: takes a deposit, then the request for the installer, and prints what a server would
 * send. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pairport/pairport.h>

static const char kDeposit[] =
    "{\"connect_url\":\"http://"
    "rport.example.com:8080\",\"fingerprint\":\"2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24\","
    "\"client_id\":\"client1\",\"password\":\"foobaz\"}";

static pairport_string text(const char* literal) {
  pairport_string view = {literal, strlen(literal)};
  return view;
}

/* A clock that does not go back, and goes on while the machine is suspended, for what expires; the time of day for what
 * is written. */
static pairport_now clock_now(void) {
  struct timespec since_start, time_of_day;
  pairport_now now;
  clock_gettime(CLOCK_BOOTTIME, &since_start);
  clock_gettime(CLOCK_REALTIME, &time_of_day);
  now.monotonic_ms = (uint64_t)since_start.tv_sec * 1000 + (uint64_t)since_start.tv_nsec / 1000000;
  now.unix_seconds = time_of_day.tv_sec;
  return now;
}

/* What a server does with an answer: status line, headers, and the fragments from where they are. */
static void print(const pairport_response* response) {
  pairport_string headers[2], body[PAIRPORT_MAX_FRAGMENTS];
  size_t count, i;
  const int status = pairport_response_status(response);
  printf("HTTP/1.1 %d %s\r\n", status, pairport_reason_phrase(status));
  pairport_response_header_bytes(response, headers);
  for (i = 0; i < 2; ++i) fwrite(headers[i].data, 1, headers[i].size, stdout);
  if (pairport_response_has_content_length(response)) {
    printf("Content-Length: %llu\r\n", (unsigned long long)pairport_response_content_length(response));
  }
  printf("\r\n");
  count = pairport_response_body(response, body);
  for (i = 0; i < count; ++i) fwrite(body[i].data, 1, body[i].size, stdout);
}

/* The code in the answer to a deposit, as the target of a request. */
static void target_of(const pairport_response* response, char target[64]) {
  static const char kKey[] = "\"pairing_code\":\"";
  pairport_string body[PAIRPORT_MAX_FRAGMENTS];
  char answer[4096];
  size_t size = 0, i;
  const size_t count = pairport_response_body(response, body);
  for (i = 0; i < count && body[i].size < sizeof answer - size; ++i) {
    memcpy(answer + size, body[i].data, body[i].size);
    size += body[i].size;
  }
  answer[size < sizeof answer ? size : sizeof answer - 1] = '\0';
  const char* code = strstr(answer, kKey);
  target[0] = '\0';
  if (code != NULL) snprintf(target, 64, "/%.*s", (int)strcspn(code + sizeof kKey - 1, "\""), code + sizeof kKey - 1);
  pairport_wipe(answer, sizeof answer);
}

int main(void) {
  pairport_options options;
  pairport_service* service = NULL;
  pairport_response* response = NULL;
  pairport_request request = {0};
  pairport_now now = clock_now();
  char message[256], target[64];
  int failed = 1;

  if (pairport_options_init(&options, sizeof options) != PAIRPORT_OK) return 1;
  options.url = text("https://pairing.example.com");
  if (pairport_service_create(&options, &now, &service, message, sizeof message) != PAIRPORT_OK) {
    fprintf(stderr, "no service: %s\n", message);
    return 1;
  }
  if (pairport_response_create(service, &response) == PAIRPORT_OK) {
    request.size = sizeof request;
    request.method = PAIRPORT_METHOD_POST;
    request.target = text("/");
    request.content_type = text("application/json");
    request.body = text(kDeposit);
    pairport_parse_address(text("192.0.2.1"), request.address);
    pairport_handle(service, &request, &now, response);
    print(response);
    target_of(response, target);

    request.method = PAIRPORT_METHOD_GET;
    request.target = text(target);
    request.body = text("");
    now = clock_now();
    pairport_handle(service, &request, &now, response);
    print(response);
    failed = pairport_response_status(response) != 200;
    while (pairport_service_expire(service, &now, 1000) > 0) now = clock_now();
  }
  pairport_response_destroy(response);
  pairport_service_destroy(service);
  return failed;
}
