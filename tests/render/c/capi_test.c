/* SPDX-License-Identifier: MIT
 * The C interface from C: every function, every error, sizes of other versions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pairport/pairport.h>

static int failures = 0;

#define EXPECT(condition)                                                     \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: %s: not so\n", __func__, __LINE__, #condition); \
      ++failures;                                                             \
    }                                                                         \
  } while (0)

#define GOOD_URL "http://rport.example.com:8080"
#define GOOD_FINGERPRINT "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
static const char kJson[] = "{\"connect_url\":\"" GOOD_URL "\",\"fingerprint\":\"" GOOD_FINGERPRINT
                            "\",\"client_id\":\"client1\",\"password\":\"foobaz\"}";

static pairport_now now = {1000000, 1790000000};
static pairport_service* service;
static pairport_response* response;
static char body_text[100000];
static char message[512];

static pairport_string text(const char* literal) {
  pairport_string view = {literal, literal == NULL ? 0 : strlen(literal)};
  return view;
}

static pairport_options good_options(void) {
  pairport_options options;
  EXPECT(pairport_options_init(&options, sizeof options) == PAIRPORT_OK);
  options.deposits_per_second = 0;
  options.misses_per_second = 0;
  return options;
}

static void open_with(const pairport_options* options) {
  EXPECT(pairport_service_create(options, &now, &service, message, sizeof message) == PAIRPORT_OK);
  EXPECT(message[0] == '\0');
  EXPECT(pairport_response_create(service, &response) == PAIRPORT_OK);
}

static void open_default(void) {
  const pairport_options options = good_options();
  open_with(&options);
}

static void close_all(void) {
  pairport_response_destroy(response);
  pairport_service_destroy(service);
  response = NULL;
  service = NULL;
}

static pairport_request request_of(int method, const char* target) {
  pairport_request request = {0};
  request.size = sizeof request;
  request.method = method;
  request.target = text(target);
  return request;
}

/* The status; the body is in body_text. */
static int ask(const pairport_request* request) {
  pairport_string fragments[PAIRPORT_MAX_FRAGMENTS];
  size_t size = 0, i, count;
  EXPECT(pairport_handle(service, request, &now, response) == PAIRPORT_OK);
  count = pairport_response_body(response, fragments);
  for (i = 0; i < count && size + fragments[i].size < sizeof body_text; ++i) {
    EXPECT(fragments[i].size != 0);
    memcpy(body_text + size, fragments[i].data, fragments[i].size);
    size += fragments[i].size;
  }
  body_text[size] = '\0';
  if (request->method != PAIRPORT_METHOD_HEAD) EXPECT(pairport_response_content_length(response) == size);
  return pairport_response_status(response);
}

static int get(const char* target) {
  const pairport_request request = request_of(PAIRPORT_METHOD_GET, target);
  return ask(&request);
}

static int post(const char* body) {
  pairport_request request = request_of(PAIRPORT_METHOD_POST, "/");
  request.content_type = text("application/json");
  request.body = text(body);
  return ask(&request);
}

/* Deposits, and gives the path of its code. */
static const char* deposit(void) {
  static char path[64];
  const char* code;
  EXPECT(post(kJson) == 200);
  code = strstr(body_text, "\"pairing_code\":\"");
  EXPECT(code != NULL);
  path[0] = '\0';
  if (code != NULL) snprintf(path, sizeof path, "/%.*s", (int)strcspn(code + 16, "\""), code + 16);
  return path;
}

/* The value of a header of the last answer, "" when it has none. */
static const char* header(const char* name) {
  static char value[256];
  size_t i;
  value[0] = '\0';
  for (i = 0; i < pairport_response_header_count(response); ++i) {
    pairport_header each;
    EXPECT(pairport_response_header(response, i, &each) == PAIRPORT_OK);
    if (each.name.size == strlen(name) && memcmp(each.name.data, name, each.name.size) == 0) {
      snprintf(value, sizeof value, "%.*s", (int)each.value.size, each.value.data);
    }
  }
  return value;
}

static void texts(void) {
  EXPECT(strcmp(pairport_status_text(PAIRPORT_OK), "success") == 0);
  EXPECT(strcmp(pairport_status_text(PAIRPORT_STORE_FULL), "the store holds as many deposits as it may") == 0);
  EXPECT(strcmp(pairport_status_text(PAIRPORT_SYSTEM), "a system call failed") == 0);
  EXPECT(strcmp(pairport_status_text(-1000), "unknown code") == 0);
  EXPECT(strcmp(pairport_status_text(1), "unknown code") == 0);
  EXPECT(strchr(pairport_version(), '.') != NULL);
  EXPECT(strcmp(pairport_reason_phrase(404), "Not Found") == 0);
  EXPECT(strcmp(pairport_reason_phrase(999), "Status") == 0);
}

static void defaults_make_a_service(void) {
  pairport_options options;
  EXPECT(pairport_options_init(&options, sizeof options) == PAIRPORT_OK);
  EXPECT(options.size == sizeof options);
  EXPECT(options.ttl_ms == 600000);
  EXPECT(options.code_length == 10);
  EXPECT(options.deposits_per_second == 5 && options.deposit_burst == 50);
  EXPECT(options.misses_per_second == 1 && options.miss_burst == 20);
  EXPECT(options.ipv6_budgets.size == 15 && memcmp(options.ipv6_budgets.data, "64:1 56:4 48:16", 15) == 0);
  EXPECT(options.network_share == 1.0 / 16);
  EXPECT(options.use_repositories == 1);
  EXPECT(options.strict_checksums == 0);
  EXPECT(options.version.size != 0 && options.linux_url.size != 0);
  EXPECT(options.random == NULL && options.load_template == NULL && options.static_code.size == 0);
  open_with(&options);
  EXPECT(get(deposit()) == 200);
  close_all();
}

static void options_of_other_versions(void) {
  struct {
    pairport_options options;
    uint64_t future;
  } longer;
  const size_t kFirst = offsetof(pairport_options, random_user) + sizeof(void*);
  pairport_options options = good_options();
  EXPECT(pairport_options_init(NULL, sizeof options) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_options_init(&options, 0) == PAIRPORT_INVALID_ARGUMENT);
  /* The first version ended before strict_checksums. */
  EXPECT(pairport_options_init(&options, offsetof(pairport_options, strict_checksums) - 1) ==
         PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_options_init(&options, offsetof(pairport_options, strict_checksums)) == PAIRPORT_OK);
  options = good_options();
  EXPECT(pairport_options_init(&options, kFirst - 1) == PAIRPORT_INVALID_ARGUMENT);

  /* A program that was compiled with the first version keeps working, and has the defaults for what came later. */
  memset(&options, 0xff, sizeof options);
  EXPECT(pairport_options_init(&options, kFirst) == PAIRPORT_OK);
  EXPECT(options.size == kFirst && options.random_user == NULL);
  EXPECT(((const unsigned char*)&options)[kFirst] == 0xff);
  open_with(&options);
  close_all();

  memset(&longer, 0xff, sizeof longer);
  EXPECT(pairport_options_init(&longer.options, sizeof longer) == PAIRPORT_OK);
  EXPECT(longer.options.size == sizeof longer && longer.future == 0);
  open_with(&longer.options);
  close_all();
  longer.future = 1;
  EXPECT(pairport_service_create(&longer.options, &now, &service, message, sizeof message) ==
         PAIRPORT_INVALID_ARGUMENT);
  EXPECT(service == NULL);
  EXPECT(strstr(message, "size of the options") != NULL);
  options.size = 8;
  EXPECT(pairport_service_create(&options, &now, &service, message, sizeof message) == PAIRPORT_INVALID_ARGUMENT);
}

static int failing_random(void* user, uint8_t* out, size_t size) {
  (void)out;
  (void)size;
  ++*(int*)user;
  return -1;
}

static int bad_template(void* user, pairport_string name, pairport_string* found) {
  (void)user;
  if (name.size != strlen("linux/update.sh") || memcmp(name.data, "linux/update.sh", name.size) != 0) return 0;
  *found = text("{{nonsense}}\n");
  return 1;
}

static void bad_options_are_named(void) {
  pairport_options options = good_options();
  pairport_digest digest = {{"file", 4}, {NULL, 3}};
  int calls = 0;
  char tiny[8];
  EXPECT(pairport_service_create(NULL, &now, &service, message, sizeof message) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_service_create(&options, NULL, &service, message, sizeof message) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_service_create(&options, &now, NULL, message, sizeof message) == PAIRPORT_INVALID_ARGUMENT);

#define REFUSED(change, code, words)                                                              \
  do {                                                                                            \
    options = good_options();                                                                     \
    change;                                                                                       \
    EXPECT(pairport_service_create(&options, &now, &service, message, sizeof message) == (code)); \
    EXPECT(service == NULL);                                                                      \
    if (strstr(message, (words)) == NULL) fprintf(stderr, "%s\n", message);                       \
    EXPECT(strstr(message, (words)) != NULL);                                                     \
  } while (0)
  REFUSED(options.url = text("ftp://x"), PAIRPORT_INVALID_ARGUMENT, "url: expected an http or https URL");
  REFUSED(options.url.data = NULL, PAIRPORT_INVALID_ARGUMENT, "NULL pointer with a length");
  REFUSED(options.ttl_ms = 1500, PAIRPORT_INVALID_ARGUMENT, "ttl: expected a duration");
  REFUSED(options.code_length = 6, PAIRPORT_INVALID_ARGUMENT, "code_length: expected a whole number from 7 to 32");
  REFUSED(options.minimum_memory = 3, PAIRPORT_INVALID_ARGUMENT, "unknown level of memory");
  REFUSED(options.minimum_memory = -1, PAIRPORT_INVALID_ARGUMENT, "unknown level of memory");
  REFUSED(options.ttl_ms = 48u * 3600 * 1000, PAIRPORT_INVALID_ARGUMENT, "ttl: expected a duration");
  REFUSED(options.ipv6_budgets = text("48:1 64:1"), PAIRPORT_INVALID_ARGUMENT, "ipv6_budgets: expected");
  REFUSED(options.network_share = 2, PAIRPORT_INVALID_ARGUMENT, "network_share: expected");
  REFUSED(options.max_deposits = 0, PAIRPORT_INVALID_ARGUMENT, "max_deposits: expected");
  REFUSED(options.linux_url = text("ftp://not a url"), PAIRPORT_INVALID_ARGUMENT, "linux_url: expected");
  REFUSED(options.miss_burst = -1, PAIRPORT_INVALID_ARGUMENT, "miss_burst: expected a number from 0");
  REFUSED(options.deposit_burst = 1e300 * 1e300, PAIRPORT_INVALID_ARGUMENT, "deposit_burst: expected a number");
  REFUSED(options.static_code = text("0000000"), PAIRPORT_INVALID_ARGUMENT, "static-deposit: ");
  REFUSED(options.version = text("a\nb"), PAIRPORT_INVALID_ARGUMENT, "version: expected a version");
  REFUSED((options.digests = &digest, options.digest_count = 1), PAIRPORT_INVALID_ARGUMENT, "NULL pointer");
  REFUSED(options.digest_count = 1, PAIRPORT_INVALID_ARGUMENT, "NULL pointer");
  REFUSED(options.load_template = bad_template, PAIRPORT_BAD_TEMPLATE, "linux/update.sh");
  REFUSED((options.random = failing_random, options.random_user = &calls), PAIRPORT_RANDOM_FAILED, "random");
  EXPECT(calls == 1);
#undef REFUSED

  options = good_options();
  options.code_length = 6;
  EXPECT(pairport_service_create(&options, &now, &service, tiny, sizeof tiny) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(strcmp(tiny, "code_le") == 0);
  EXPECT(pairport_service_create(&options, &now, &service, NULL, 0) == PAIRPORT_INVALID_ARGUMENT);
}

static int letter_a(void* user, uint8_t* out, size_t size) {
  (void)user;
  memset(out, 0, size);
  return 0;
}

static void memory_is_bounded(void) {
  pairport_options options = good_options();
  int count = 0;
  options.max_memory = 1024 * 1024;
  options.network_share = 0; /* no limit but the memory */
  open_with(&options);
  while (count < 20000 && post(kJson) == 200) ++count;
  EXPECT(count > 4000 && count < 12000);
  EXPECT(pairport_response_retry_after(response) == 60);
  close_all();
}

static void every_option_arrives(void) {
  pairport_options options = good_options();
  pairport_digest digest = {{"rport_9.8.7.tar.gz", 18}, {NULL, 0}};
  char hexadecimal[65];
  memset(hexadecimal, 'a', 64);
  hexadecimal[64] = '\0';
  digest.sha256 = text(hexadecimal);
  options.url = text("https://pair.example.com");
  options.ttl_ms = 2000;
  options.code_length = 9;
  options.max_deposits = 2;
  options.static_code = text("0000000");
  options.static_connect_url = text(GOOD_URL);
  options.static_fingerprint = text(GOOD_FINGERPRINT);
  options.static_client_id = text("id-of-static");
  options.static_password = text("foobaz");
  options.version = text("9.8.7");
  options.linux_url = text("https://files.example.com/{version}.tar.gz");
  options.use_repositories = 0;
  options.strict_checksums = 1;
  options.digests = &digest;
  options.digest_count = 1;
  options.random = letter_a;
  options.hash_codes = 1;
  open_with(&options);
  EXPECT(strcmp(deposit(), "/aaaaaaaaa") == 0);
  EXPECT(strstr(body_text, "https://pair.example.com/aaaaaaaaa") != NULL);
  EXPECT(post(kJson) == 503); /* no second code, no room */
  EXPECT(pairport_response_retry_after(response) == 60);
  EXPECT(get("/0000000") == 200);
  EXPECT(strstr(body_text, "'id-of-static'") != NULL);
  EXPECT(strstr(body_text, "'9.8.7'") != NULL);
  EXPECT(strstr(body_text, "'https://files.example.com/{version}.tar.gz'") != NULL);
  EXPECT(strstr(body_text, hexadecimal) != NULL);
  EXPECT(strstr(body_text, "STRICT='true'") != NULL);
  EXPECT(pairport_response_code_hash(response) != 0);
  now.monotonic_ms += 2000;
  EXPECT(get("/aaaaaaaaa") == 404);
  EXPECT(get("/0000000") == 200);
  close_all();
}

static void routes_headers_and_bodies(void) {
  pairport_request request;
  pairport_string parts[2];
  pairport_header last;
  char etag[80];
  open_default();
  EXPECT(pairport_response_status(response) == 0);
  EXPECT(get(deposit()) == 200);
  EXPECT(strcmp(pairport_response_route(response), "installer") == 0);
  EXPECT(pairport_response_code_hash(response) == 0);
  EXPECT(strcmp(header("Content-Type"), "text/plain; charset=utf-8") == 0);
  EXPECT(strcmp(header("Cache-Control"), "no-store") == 0);
  EXPECT(strstr(body_text, "PASSWORD='foobaz'") != NULL);
  EXPECT(pairport_response_has_content_length(response) == 1);
  EXPECT(pairport_response_header(response, pairport_response_header_count(response), &last) ==
         PAIRPORT_INVALID_ARGUMENT);
  pairport_response_header_bytes(response, parts);
  EXPECT(parts[0].size > 20 && memcmp(parts[0].data + parts[0].size - 2, "\r\n", 2) == 0 && parts[1].size == 0);

  EXPECT(get("/update") == 200);
  snprintf(etag, sizeof etag, "%s", header("ETag"));
  EXPECT(strlen(etag) > 10);
  request = request_of(PAIRPORT_METHOD_GET, "/update");
  request.if_none_match = text(etag);
  EXPECT(ask(&request) == 304);
  EXPECT(pairport_response_has_content_length(response) == 0);
  request = request_of(PAIRPORT_METHOD_GET, "/update");
  request.accept_encoding = text("gzip");
  EXPECT(ask(&request) == 200);
  EXPECT(strcmp(header("Content-Encoding"), "gzip") == 0);
  request.accept_encoding = text("");
  request.user_agent = text("WindowsPowerShell/5.1");
  EXPECT(ask(&request) == 200);
  EXPECT(strstr(header("Content-Disposition"), ".ps1") != NULL);

  request = request_of(PAIRPORT_METHOD_HEAD, "/uninstall");
  EXPECT(ask(&request) == 200);
  EXPECT(body_text[0] == '\0' && pairport_response_content_length(response) > 1000);
  request = request_of(PAIRPORT_METHOD_OPTIONS, "*");
  EXPECT(ask(&request) == 204);
  EXPECT(strcmp(pairport_response_route(response), "preflight") == 0);
  request = request_of(PAIRPORT_METHOD_OTHER, "/update");
  EXPECT(ask(&request) == 405);
  EXPECT(strcmp(header("Allow"), "GET, OPTIONS, HEAD") == 0);
  request = request_of(PAIRPORT_METHOD_GET, "/a/b");
  request.accept = text("application/json");
  EXPECT(ask(&request) == 404);
  EXPECT(strcmp(header("Content-Type"), "application/problem+json") == 0);
  pairport_response_reset(response);
  EXPECT(pairport_response_status(response) == 0 && pairport_response_header_count(response) == 0);
  EXPECT(get("/ABCDEFG") == 404);
  EXPECT(post("{") == 400);
  close_all();
}

static void bad_requests_change_nothing(void) {
  struct {
    pairport_request request;
    uint64_t future;
  } longer;
  pairport_request request;
  pairport_service* first;
  pairport_response* of_first;
  pairport_options options = good_options();
  open_default();
#define REFUSED(change)                                                                      \
  do {                                                                                       \
    EXPECT(get("/update") == 200);                                                           \
    request = request_of(PAIRPORT_METHOD_GET, "/update");                                    \
    change;                                                                                  \
    EXPECT(pairport_handle(service, &request, &now, response) == PAIRPORT_INVALID_ARGUMENT); \
    EXPECT(pairport_response_status(response) == 0);                                         \
  } while (0)
  REFUSED(request.size = 0);
  REFUSED(request.size -= 1);
  REFUSED(request.method = 5);
  REFUSED(request.method = -1);
  REFUSED(request.target.data = NULL);
  REFUSED((request.body.data = body_text, request.body.size = PAIRPORT_MAX_BODY + 1));
#define REFUSED_HEADER(member, name) REFUSED((request.member.data = NULL, request.member.size = 1));
  PAIRPORT_REQUEST_HEADERS(REFUSED_HEADER)
#undef REFUSED_HEADER
#undef REFUSED
  memset(&longer, 0, sizeof longer);
  longer.request = request_of(PAIRPORT_METHOD_GET, "/update");
  longer.request.size = sizeof longer;
  EXPECT(pairport_handle(service, &longer.request, &now, response) == PAIRPORT_OK);
  longer.future = 1;
  EXPECT(pairport_handle(service, &longer.request, &now, response) == PAIRPORT_INVALID_ARGUMENT);
  request = request_of(PAIRPORT_METHOD_GET, "/update");
  EXPECT(pairport_handle(NULL, &request, &now, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_handle(service, NULL, &now, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_handle(service, &request, NULL, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_handle(service, &request, &now, NULL) == PAIRPORT_INVALID_ARGUMENT);

  /* A response goes with the service that made it. */
  EXPECT(pairport_service_create(&options, &now, &first, NULL, 0) == PAIRPORT_OK);
  EXPECT(pairport_response_create(first, &of_first) == PAIRPORT_OK);
  EXPECT(pairport_handle(service, &request, &now, of_first) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_refuse(service, 400, text("x"), text(""), PAIRPORT_METHOD_GET, of_first) ==
         PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_handle(first, &request, &now, of_first) == PAIRPORT_OK);
  pairport_response_destroy(of_first);
  pairport_service_destroy(first);
  close_all();
}

static void refusals(void) {
  static const int kStatuses[] = {400, 408, 411, 413, 417, 431, 500, 501, 503, 505};
  pairport_string fragments[PAIRPORT_MAX_FRAGMENTS];
  size_t i;
  open_default();
  for (i = 0; i < sizeof kStatuses / sizeof *kStatuses; ++i) {
    EXPECT(pairport_refuse(service, kStatuses[i], text("no"), text(""), PAIRPORT_METHOD_POST, response) == PAIRPORT_OK);
    EXPECT(pairport_response_status(response) == kStatuses[i]);
    EXPECT((pairport_response_retry_after(response) != 0) == (kStatuses[i] == 503));
    EXPECT(pairport_response_body(response, fragments) == 1);
    EXPECT(fragments[0].size == 3 && memcmp(fragments[0].data, "no\n", 3) == 0);
    EXPECT(strcmp(header("Access-Control-Allow-Origin"), "*") == 0);
  }
  EXPECT(pairport_refuse(service, 413, text("no"), text("application/json"), PAIRPORT_METHOD_HEAD, response) ==
         PAIRPORT_OK);
  EXPECT(strcmp(header("Content-Type"), "application/problem+json") == 0);
  EXPECT(pairport_response_body(response, fragments) == 0 && pairport_response_content_length(response) > 10);
  EXPECT(pairport_refuse(service, 200, text("no"), text(""), PAIRPORT_METHOD_GET, response) ==
         PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_response_status(response) == 0);
  EXPECT(pairport_refuse(NULL, 400, text("no"), text(""), PAIRPORT_METHOD_GET, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_refuse(service, 400, text("no"), text(""), PAIRPORT_METHOD_GET, NULL) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_refuse(service, 400, text("no"), text(""), 9, response) == PAIRPORT_INVALID_ARGUMENT);
  memset(body_text, 'x', 1025);
  body_text[1025] = '\0';
  EXPECT(pairport_refuse(service, 400, text(body_text), text(""), PAIRPORT_METHOD_GET, response) ==
         PAIRPORT_INVALID_ARGUMENT);
  close_all();
}

static void limits_go_by_address(void) {
  pairport_options options = good_options();
  pairport_request request = request_of(PAIRPORT_METHOD_GET, "/ABCDEFG");
  uint8_t address[16];
  static const uint8_t kMapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
  EXPECT(pairport_parse_address(text("192.0.2.1"), address) == PAIRPORT_OK);
  EXPECT(memcmp(address, kMapped, 16) == 0);
  EXPECT(pairport_parse_address(text("192.0.2"), address) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_parse_address(text(NULL), address) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_parse_address(text("::1"), NULL) == PAIRPORT_INVALID_ARGUMENT);
  options.misses_per_second = 1;
  options.miss_burst = 2;
  open_with(&options);
  EXPECT(pairport_parse_address(text("2001:db8:1:2::3"), request.address) == PAIRPORT_OK);
  EXPECT(ask(&request) == 404);
  EXPECT(ask(&request) == 404);
  EXPECT(pairport_parse_address(text("2001:db8:1:2:ffff::1"), request.address) == PAIRPORT_OK);
  EXPECT(ask(&request) == 429); /* the same /64 */
  EXPECT(pairport_response_retry_after(response) == 1);
  EXPECT(pairport_parse_address(text("2001:db8:1:3::3"), request.address) == PAIRPORT_OK);
  EXPECT(ask(&request) == 404);
  close_all();
}

static void expiry_and_statistics(void) {
  pairport_stats stats;
  struct {
    pairport_stats stats;
    uint64_t future;
  } longer;
  pairport_options options = good_options();
  int i, calls = 0;
  options.ttl_ms = 1000;
  options.max_deposits = 100;
  open_with(&options);
  for (i = 0; i < 100; ++i) EXPECT(post(kJson) == 200);
  EXPECT(post(kJson) == 503);
  memset(&stats, 0xff, sizeof stats);
  stats.size = sizeof stats;
  EXPECT(pairport_service_stats(service, &stats) == PAIRPORT_OK);
  EXPECT(stats.deposits_limited == 0 && stats.look_ups_limited == 0 && stats.misses == 0);
  EXPECT(stats.deposits == 100 && stats.expiring == 100 && stats.deposits_refused == 1 && stats.memory_bytes > 10000);
  EXPECT(stats.memory_level >= PAIRPORT_MEMORY_PLAIN && stats.memory_level <= PAIRPORT_MEMORY_MEMFD_SECRET);
  now.monotonic_ms += 1500;
  while (pairport_service_expire(service, &now, 10) > 0) ++calls;
  EXPECT(calls >= 9);
  memset(&longer, 0xff, sizeof longer);
  longer.stats.size = sizeof longer;
  EXPECT(pairport_service_stats(service, &longer.stats) == PAIRPORT_OK);
  EXPECT(longer.stats.size == sizeof longer && longer.stats.deposits == 0 && longer.future == 0);
  stats.size = 4;
  EXPECT(pairport_service_stats(service, &stats) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_service_stats(NULL, &stats) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_service_stats(service, NULL) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_service_expire(NULL, &now, 1) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_service_expire(service, NULL, 1) == PAIRPORT_INVALID_ARGUMENT);
  close_all();
}

static void static_parts_are_what_answers_point_to(void) {
  pairport_string parts[64], one, fragments[PAIRPORT_MAX_FRAGMENTS];
  size_t count, found = 0, i, j;
  open_default();
  count = pairport_service_static_parts(service, parts, 64);
  EXPECT(count > 10 && count <= 64);
  EXPECT(pairport_service_static_parts(service, NULL, 0) == count);
  EXPECT(pairport_service_static_parts(service, &one, 1) == count);
  EXPECT(one.data == parts[0].data && one.size == parts[0].size);
  EXPECT(pairport_service_static_parts(NULL, parts, 64) == 0);
  EXPECT(get(deposit()) == 200);
  for (i = 0; i < pairport_response_body(response, fragments); ++i) {
    for (j = 0; j < count; ++j) found += fragments[i].data == parts[j].data;
  }
  EXPECT(found == 2);
  close_all();
}

static void packages(void) {
  pairport_options options = good_options();
  pairport_request request = request_of(PAIRPORT_METHOD_GET, "/packages/rport.deb");
  pairport_file_info info = {1000, 42};
  pairport_string parts[2];
  uint64_t offset = 7, size = 7;
  options.serve_packages = 1;
  open_with(&options);
  EXPECT(pairport_answer_file(service, &info, response) == PAIRPORT_INVALID_ARGUMENT);
  request.range = text("bytes=10-19");
  EXPECT(ask(&request) == 0);
  EXPECT(pairport_response_file(response).size == 9);
  EXPECT(memcmp(pairport_response_file(response).data, "rport.deb", 9) == 0);
  EXPECT(pairport_answer_file(NULL, &info, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_answer_file(service, &info, NULL) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_answer_file(service, &info, response) == PAIRPORT_OK);
  EXPECT(pairport_response_status(response) == 206);
  pairport_response_file_range(response, &offset, &size);
  EXPECT(offset == 10 && size == 10);
  pairport_response_file_range(response, NULL, NULL);
  EXPECT(strcmp(header("Content-Range"), "bytes 10-19/1000") == 0);
  EXPECT(strcmp(header("ETag"), "\"2a-3e8\"") == 0);
  pairport_response_header_bytes(response, parts);
  EXPECT(parts[1].size != 0 && memcmp(parts[1].data + parts[1].size - 2, "\r\n", 2) == 0);
  EXPECT(pairport_response_file(response).size == 0);
  EXPECT(pairport_answer_file(service, &info, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_handle(service, &request, &now, response) == PAIRPORT_OK);
  EXPECT(pairport_answer_file(service, NULL, response) == PAIRPORT_OK);
  EXPECT(pairport_response_status(response) == 404);
  close_all();
}

static void objects(void) {
  pairport_buffer* buffers[100];
  pairport_response* responses[100];
  pairport_buffer* no_buffer = (pairport_buffer*)&failures;
  pairport_response* no_response = (pairport_response*)&failures;
  pairport_string fragments[PAIRPORT_MAX_FRAGMENTS], parts[2];
  pairport_request request = request_of(PAIRPORT_METHOD_POST, "/");
  char secret[4] = {1, 2, 3, 4};
  int i, j;
  open_default();
  for (j = 0; j < 3; ++j) {
    for (i = 0; i < 100; ++i) {
      EXPECT(pairport_buffer_create(service, &buffers[i]) == PAIRPORT_OK);
      EXPECT(pairport_buffer_data(buffers[i])[0] == 0); /* wiped, also when it was in use before */
      memset(pairport_buffer_data(buffers[i]), 'x', PAIRPORT_MAX_BODY);
      EXPECT(pairport_response_create(service, &responses[i]) == PAIRPORT_OK);
      EXPECT(pairport_response_status(responses[i]) == 0);
    }
    for (i = 0; i < 100; ++i) {
      pairport_buffer_destroy(buffers[i]);
      pairport_response_destroy(responses[i]);
    }
  }
  /* A body where it was read to. */
  EXPECT(pairport_buffer_create(service, &buffers[0]) == PAIRPORT_OK);
  memcpy(pairport_buffer_data(buffers[0]), kJson, sizeof kJson - 1);
  request.content_type = text("application/json");
  request.body.data = pairport_buffer_data(buffers[0]);
  request.body.size = sizeof kJson - 1;
  EXPECT(ask(&request) == 200);
  pairport_buffer_destroy(buffers[0]);

  EXPECT(pairport_buffer_create(NULL, &no_buffer) == PAIRPORT_INVALID_ARGUMENT && no_buffer == NULL);
  EXPECT(pairport_buffer_create(service, NULL) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_response_create(NULL, &no_response) == PAIRPORT_INVALID_ARGUMENT && no_response == NULL);
  EXPECT(pairport_response_create(service, NULL) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_buffer_data(NULL) == NULL);
  pairport_buffer_destroy(NULL);
  pairport_response_destroy(NULL);
  pairport_response_reset(NULL);
  pairport_service_destroy(NULL);
  pairport_wipe(NULL, 0);
  pairport_wipe(secret, sizeof secret);
  EXPECT(secret[0] == 0 && secret[3] == 0);
  EXPECT(pairport_response_status(NULL) == 0 && pairport_response_header_count(NULL) == 0);
  EXPECT(pairport_response_body(NULL, fragments) == 0 && pairport_response_content_length(NULL) == 0);
  EXPECT(pairport_response_has_content_length(NULL) == 0 && pairport_response_retry_after(NULL) == 0);
  EXPECT(pairport_response_code_hash(NULL) == 0 && pairport_response_file(NULL).size == 0);
  EXPECT(strcmp(pairport_response_route(NULL), "other") == 0);
  pairport_response_header_bytes(NULL, parts);
  EXPECT(parts[0].size == 0 && parts[1].size == 0);
  close_all();
}

/* Secret memory is not inherited: each of these calls would touch it. */
static void in_the_child(pairport_buffer* buffer) {
  const pairport_request request = request_of(PAIRPORT_METHOD_GET, "/update");
  pairport_response* second;
  pairport_buffer* other;
  pairport_string fragments[PAIRPORT_MAX_FRAGMENTS], parts[2];
  pairport_file_info info = {1, 1};
  pairport_header one;
  pairport_stats stats;
  uint64_t offset = 7, size = 7;
  stats.size = sizeof stats;
  EXPECT(pairport_handle(service, &request, &now, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_refuse(service, 400, text("x"), text(""), 0, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_answer_file(service, &info, response) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_response_create(service, &second) == PAIRPORT_INVALID_ARGUMENT && second == NULL);
  EXPECT(pairport_buffer_create(service, &other) == PAIRPORT_INVALID_ARGUMENT && other == NULL);
  EXPECT(pairport_service_expire(service, &now, 1) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_service_stats(service, &stats) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_service_static_parts(service, NULL, 0) == 0);
  EXPECT(pairport_buffer_data(buffer) == NULL);
  EXPECT(pairport_response_status(response) == 0 && pairport_response_code_hash(response) == 0);
  EXPECT(pairport_response_header_count(response) == 0 && pairport_response_retry_after(response) == 0);
  EXPECT(pairport_response_header(response, 0, &one) == PAIRPORT_INVALID_ARGUMENT);
  EXPECT(pairport_response_body(response, fragments) == 0 && pairport_response_content_length(response) == 0);
  EXPECT(pairport_response_has_content_length(response) == 0 && pairport_response_file(response).size == 0);
  EXPECT(strcmp(pairport_response_route(response), "other") == 0);
  pairport_response_header_bytes(response, parts);
  EXPECT(parts[0].size == 0 && parts[1].size == 0);
  pairport_response_file_range(response, &offset, &size);
  EXPECT(offset == 0 && size == 0);
  pairport_response_reset(response);
  pairport_response_destroy(response);
  pairport_buffer_destroy(buffer);
  pairport_service_destroy(service);
  /* A service of its own works beside the inherited one. */
  open_default();
  EXPECT(get(deposit()) == 200);
  close_all();
}

static void a_forked_child_gets_errors(void) {
  pairport_buffer* buffer;
  char path[64];
  pid_t child;
  int status = 0;
  open_default();
  EXPECT(pairport_buffer_create(service, &buffer) == PAIRPORT_OK);
  snprintf(path, sizeof path, "%s", deposit());
  EXPECT(get(path) == 200);
  child = fork();
  if (child == 0) {
    in_the_child(buffer);
    _exit(failures != 0);
  }
  EXPECT(child > 0 && waitpid(child, &status, 0) == child);
  EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT(pairport_response_status(response) == 200); /* nothing has changed here */
  EXPECT(get(path) == 200);
  pairport_buffer_destroy(buffer);
  close_all();
}

static int other_path(void* user, const pairport_request* request, pairport_path_answer* answer) {
  static char body[64];
  EXPECT(user == &failures);
  EXPECT(request->size == sizeof *request && answer->size == sizeof *answer && answer->status == 200);
  if (request->target.size >= 8 && memcmp(request->target.data, "/no/such", 8) == 0) return 0;
  snprintf(body, sizeof body, "%d %.*s", request->method, (int)request->target.size, request->target.data);
  answer->body.data = body;
  answer->body.size = strlen(body);
  answer->content_type = text("text/html");
  answer->fixed_body = text("!");
  if (request->target.size >= 4 && memcmp(request->target.data, "/bad", 4) == 0) answer->body.data = NULL;
  return 1;
}

static void other_paths_are_their_owners(void) {
  pairport_options options;
  pairport_string body[PAIRPORT_MAX_FRAGMENTS];
  EXPECT(pairport_options_init(&options, sizeof options) == PAIRPORT_OK);
  EXPECT(options.on_other_path == NULL);
  options.on_other_path = other_path;
  options.other_path_user = &failures;
  open_with(&options);
  EXPECT(get("/app/index.html") == 200);
  EXPECT(strcmp(header("Content-Type"), "text/html") == 0);
  EXPECT(pairport_response_body(response, body) == 2);
  EXPECT(body[0].size == 17 && memcmp(body[0].data, "0 /app/index.html", 17) == 0);
  EXPECT(body[1].size == 1 && body[1].data[0] == '!');
  EXPECT(get("/no/such") == 404);
  EXPECT(get("/bad/answer") == 500);
  EXPECT(get("/ABCDEFG") == 404);
  close_all();
}

int main(void) {
  texts();
  defaults_make_a_service();
  options_of_other_versions();
  bad_options_are_named();
  every_option_arrives();
  memory_is_bounded();
  routes_headers_and_bodies();
  bad_requests_change_nothing();
  refusals();
  limits_go_by_address();
  expiry_and_statistics();
  static_parts_are_what_answers_point_to();
  packages();
  objects();
  other_paths_are_their_owners();
  a_forked_child_gets_errors();
  if (failures != 0) fprintf(stderr, "%d expectations were not met\n", failures);
  return failures != 0;
}
