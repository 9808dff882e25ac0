/* SPDX-License-Identifier: MIT
 * Deposits that live elsewhere: a store of this program's own, on a thread of its own. Requests are handled on the main
 * thread. What they need of the store goes to the thread through a queue, the replies come back in any order, and the
 * main thread goes on with the answers. A reply that does not come in time becomes a refusal. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pairport/pairport_deposits.h>

/* A deposit, with room for the longest values. */
typedef struct deposit {
  char connect_url[PAIRPORT_MAX_CONNECT_URL + 1];
  char client_id[PAIRPORT_MAX_CLIENT_ID + 1];
  char password[PAIRPORT_MAX_PASSWORD + 1];
  uint8_t fingerprint[16];
  uint64_t expires_ms;
  uint32_t max_uses;
} deposit;

/* One operation for the store. It belongs to the thread that has it: the main thread makes and frees it. */
typedef struct job {
  struct job* next;
  uint64_t id; /* of the exchange that waits for it */
  uint64_t now_ms;
  int verb;
  char code[PAIRPORT_MAX_CODE + 1];
  deposit values; /* in with put, out with find and use */
  int result;
} job;

typedef struct entry {
  struct entry* next;
  char code[PAIRPORT_MAX_CODE + 1];
  deposit values;
  uint32_t uses;
} entry;

typedef struct store {
  pthread_t thread;
  pthread_mutex_t lock; /* for the members up to `entries` */
  pthread_cond_t has_work, has_replies;
  job* work; /* the newest first */
  job *replies, **last_reply;
  int asleep, stopped;
  entry* entries; /* only for the store's thread */
} store;

/* What waits for a reply. */
typedef struct exchange {
  uint64_t id; /* 0: nothing is awaited */
  uint64_t deadline_ms;
  pairport_response* response; /* NULL: an operation of the program's own, with its result below */
  int result;
} exchange;

enum { kExchanges = 4 };

typedef struct program {
  pairport_service* service;
  store store;
  exchange exchanges[kExchanges];
  uint64_t last_id, last_replied_id;
  uint64_t patience_ms;       /* how long a request waits for the store */
  int out_of_order, too_late; /* replies that overtook another one, or came after the deadline */
} program;

static pairport_string text(const char* literal) {
  pairport_string view = {literal, strlen(literal)};
  return view;
}

static pairport_now clock_now(void) {
  struct timespec since_start, time_of_day;
  pairport_now now;
  clock_gettime(CLOCK_BOOTTIME, &since_start);
  clock_gettime(CLOCK_REALTIME, &time_of_day);
  now.monotonic_ms = (uint64_t)since_start.tv_sec * 1000 + (uint64_t)since_start.tv_nsec / 1000000;
  now.unix_seconds = time_of_day.tv_sec;
  return now;
}

/* `size` is that of `out`. A value that does not fit becomes empty, which no deposit may be. */
static void copy_text(char* out, size_t size, pairport_string view) {
  const size_t length = view.size < size ? view.size : 0;
  memcpy(out, view.data, length);
  out[length] = '\0';
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* The thread of the store */

static void free_entry(entry** link) {
  entry* gone = *link;
  *link = gone->next;
  pairport_wipe(gone, sizeof *gone);
  free(gone);
}

/* The place of a live deposit; NULL: there is none. Removes the expired ones that it passes. */
static entry** find(store* self, const job* asked) {
  entry** link = &self->entries;
  while (*link != NULL) {
    if ((*link)->values.expires_ms <= asked->now_ms) {
      free_entry(link);
    } else if (strcmp((*link)->code, asked->code) == 0) {
      return link;
    } else {
      link = &(*link)->next;
    }
  }
  return NULL;
}

static int put(store* self, const job* asked) {
  entry* added;
  if (find(self, asked) != NULL) return PAIRPORT_ALREADY_EXISTS;
  added = malloc(sizeof *added);
  if (added == NULL) return PAIRPORT_OUT_OF_MEMORY;
  memcpy(added->code, asked->code, sizeof added->code);
  added->values = asked->values;
  added->uses = 0;
  added->next = self->entries;
  self->entries = added;
  return PAIRPORT_OK;
}

static int carry_out(store* self, job* asked) {
  entry** link = asked->verb == PAIRPORT_STORE_PUT ? NULL : find(self, asked);
  if (asked->verb == PAIRPORT_STORE_PUT) return put(self, asked);
  if (link == NULL) return PAIRPORT_NOT_FOUND;
  if (asked->verb == PAIRPORT_STORE_REVOKE) {
    free_entry(link);
    return PAIRPORT_OK;
  }
  if ((*link)->values.max_uses != 0 && (*link)->uses == (*link)->values.max_uses) return PAIRPORT_NOT_FOUND;
  if (asked->verb == PAIRPORT_STORE_USE) ++(*link)->uses;
  asked->values = (*link)->values;
  return PAIRPORT_OK;
}

static void* run_store(void* argument) {
  store* self = argument;
  job* taken;
  pthread_mutex_lock(&self->lock);
  for (;;) {
    while (!self->stopped && (self->asleep || self->work == NULL)) pthread_cond_wait(&self->has_work, &self->lock);
    if (self->stopped) break;
    taken = self->work;
    self->work = taken->next;
    pthread_mutex_unlock(&self->lock);
    taken->result = carry_out(self, taken);
    pthread_mutex_lock(&self->lock);
    taken->next = NULL;
    *self->last_reply = taken;
    self->last_reply = &taken->next;
    pthread_cond_signal(&self->has_replies);
  }
  pthread_mutex_unlock(&self->lock);
  while (self->entries != NULL) free_entry(&self->entries);
  return NULL;
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* The main thread */

static void free_jobs(job* first) {
  while (first != NULL) {
    job* next = first->next;
    pairport_wipe(first, sizeof *first);
    free(first);
    first = next;
  }
}

static int open_store(store* self) {
  pthread_condattr_t monotonic;
  memset(self, 0, sizeof *self);
  self->last_reply = &self->replies;
  pthread_mutex_init(&self->lock, NULL);
  pthread_cond_init(&self->has_work, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&self->has_replies, &monotonic);
  pthread_condattr_destroy(&monotonic);
  return pthread_create(&self->thread, NULL, run_store, self);
}

static void close_store(store* self) {
  pthread_mutex_lock(&self->lock);
  self->stopped = 1;
  pthread_cond_signal(&self->has_work);
  pthread_mutex_unlock(&self->lock);
  pthread_join(self->thread, NULL);
  free_jobs(self->work);
  free_jobs(self->replies);
  pthread_cond_destroy(&self->has_replies);
  pthread_cond_destroy(&self->has_work);
  pthread_mutex_destroy(&self->lock);
}

/* A store that is asleep keeps what it is asked, and answers when it wakes. */
static void set_asleep(store* self, int asleep) {
  pthread_mutex_lock(&self->lock);
  self->asleep = asleep;
  pthread_cond_signal(&self->has_work);
  pthread_mutex_unlock(&self->lock);
}

/* Hands an operation to the store's thread; `self` waits for it then. Nonzero: out of memory. */
static int send(program* all, exchange* self, const pairport_pending* pending) {
  job* asked = calloc(1, sizeof *asked);
  if (asked == NULL) return -1;
  asked->id = self->id = ++all->last_id;
  asked->now_ms = clock_now().monotonic_ms;
  asked->verb = pending->verb;
  copy_text(asked->code, sizeof asked->code, pending->code);
  if (pending->verb == PAIRPORT_STORE_PUT) {
    copy_text(asked->values.connect_url, sizeof asked->values.connect_url, pending->connect_url);
    copy_text(asked->values.client_id, sizeof asked->values.client_id, pending->client_id);
    copy_text(asked->values.password, sizeof asked->values.password, pending->password);
    memcpy(asked->values.fingerprint, pending->fingerprint, sizeof asked->values.fingerprint);
    asked->values.expires_ms = pending->expires_ms;
    asked->values.max_uses = pending->max_uses;
  }
  pthread_mutex_lock(&all->store.lock);
  asked->next = all->store.work;
  all->store.work = asked;
  pthread_cond_signal(&all->store.has_work);
  pthread_mutex_unlock(&all->store.lock);
  return 0;
}

/* doc/embedding.md: begin */
/* Goes on with an exchange. A deposit whose code was in use is pending again, with another code. */
static void resume(program* all, exchange* self, const pairport_reply* reply) {
  const pairport_now now = clock_now();
  pairport_pending pending = {0};
  pairport_reply failed = {0};
  pending.size = sizeof pending;
  failed.size = sizeof failed;
  failed.result = PAIRPORT_UNAVAILABLE;
  self->id = 0;
  self->result = reply->result;
  if (self->response == NULL) return;
  pairport_resume(all->service, reply, &now, self->response);
  pairport_response_pending(self->response, &pending);
  if (pending.kind == PAIRPORT_PENDING_STORE && send(all, self, &pending) != 0) {
    pairport_resume(all->service, &failed, &now, self->response);
  }
}
/* doc/embedding.md: end */

/* Begins to answer a request; serve() ends it. */
static void begin(program* all, exchange* self, int method, const char* target, const char* body) {
  const pairport_now now = clock_now();
  pairport_request request = {0};
  pairport_pending pending = {0};
  pairport_reply failed = {0};
  request.size = sizeof request;
  request.method = method;
  request.target = text(target);
  request.content_type = text("application/json");
  request.body = text(body);
  pending.size = sizeof pending;
  failed.size = sizeof failed;
  failed.result = PAIRPORT_UNAVAILABLE;
  self->deadline_ms = now.monotonic_ms + all->patience_ms;
  pairport_handle(all->service, &request, &now, self->response);
  pairport_response_pending(self->response, &pending);
  if (pending.kind == PAIRPORT_PENDING_STORE && send(all, self, &pending) != 0) resume(all, self, &failed);
}

static void on_reply(program* all, const job* done) {
  pairport_reply reply = {0};
  size_t i;
  if (done->id < all->last_replied_id) ++all->out_of_order;
  all->last_replied_id = done->id;
  reply.size = sizeof reply;
  reply.result = done->result;
  reply.connect_url = text(done->values.connect_url);
  reply.client_id = text(done->values.client_id);
  reply.password = text(done->values.password);
  memcpy(reply.fingerprint, done->values.fingerprint, sizeof reply.fingerprint);
  reply.expires_ms = done->values.expires_ms;
  for (i = 0; i < kExchanges; ++i) {
    if (all->exchanges[i].id == done->id) {
      resume(all, &all->exchanges[i], &reply);
      return;
    }
  }
  ++all->too_late; /* nobody waits for it any more */
}

/* Waits for replies until `deadline_ms`, and takes them. */
static job* take_replies(store* self, uint64_t deadline_ms) {
  struct timespec until;
  job* taken;
  const uint64_t now_ms = clock_now().monotonic_ms;
  const uint64_t wait_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += (time_t)(wait_ms / 1000);
  until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    ++until.tv_sec;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&self->lock);
  while (self->replies == NULL && pthread_cond_timedwait(&self->has_replies, &self->lock, &until) == 0) {
  }
  taken = self->replies;
  self->replies = NULL;
  self->last_reply = &self->replies;
  pthread_mutex_unlock(&self->lock);
  return taken;
}

/* Goes on until nothing is awaited: takes replies, and gives up what has waited too long. */
static void serve(program* all) {
  for (;;) {
    pairport_reply failed = {0};
    uint64_t deadline_ms = UINT64_MAX, now_ms;
    job *replies, *each;
    size_t i;
    for (i = 0; i < kExchanges; ++i) {
      const exchange* other = &all->exchanges[i];
      if (other->id != 0 && other->deadline_ms < deadline_ms) deadline_ms = other->deadline_ms;
    }
    if (deadline_ms == UINT64_MAX) return;
    replies = take_replies(&all->store, deadline_ms);
    for (each = replies; each != NULL; each = each->next) on_reply(all, each);
    free_jobs(replies);
    failed.size = sizeof failed;
    failed.result = PAIRPORT_UNAVAILABLE;
    now_ms = clock_now().monotonic_ms;
    for (i = 0; i < kExchanges; ++i) {
      exchange* other = &all->exchanges[i];
      if (other->id != 0 && other->deadline_ms <= now_ms) resume(all, other, &failed);
    }
  }
}

/* The verbs of the service cannot ask a store that is elsewhere: its owner asks. */
static int revoke(program* all, const char* code) {
  exchange* self = &all->exchanges[kExchanges - 1];
  const pairport_now now = clock_now();
  pairport_pending pending = {0};
  if (pairport_revoke(all->service, text(code), &now) != PAIRPORT_LATER) return PAIRPORT_INVALID_ARGUMENT;
  pending.verb = PAIRPORT_STORE_REVOKE;
  pending.code = text(code);
  self->deadline_ms = now.monotonic_ms + all->patience_ms;
  if (send(all, self, &pending) != 0) return PAIRPORT_OUT_OF_MEMORY;
  serve(all);
  return self->result;
}

/* ---------------------------------------------------------------------------------------------------------------- */
/* What it is seen to do */

#define DEPOSIT(client)                                                 \
  "{\"connect_url\":\"http://rport.example.com:8080\",\"fingerprint\":" \
  "\"2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24\",\"client_id\":\"" client "\",\"password\":\"foobaz\"}"

static void expect(int condition, const char* what) {
  if (condition) return;
  fprintf(stderr, "not so: %s\n", what);
  exit(1);
}

static int status(const exchange* self) {
  return pairport_response_status(self->response);
}

/* Whether the answer holds `part`; `rest` (may be NULL) gets what follows it, up to a quote. */
static int answers_with(const exchange* self, const char* part, char* rest, size_t rest_size) {
  pairport_string body[PAIRPORT_MAX_FRAGMENTS];
  static char answer[128 * 1024];
  size_t size = 0, i;
  const size_t count = pairport_response_body(self->response, body);
  const char* found;
  for (i = 0; i < count && body[i].size < sizeof answer - size; ++i) {
    memcpy(answer + size, body[i].data, body[i].size);
    size += body[i].size;
  }
  answer[size] = '\0';
  found = strstr(answer, part);
  if (found != NULL && rest != NULL) {
    found += strlen(part);
    snprintf(rest, rest_size, "%.*s", (int)strcspn(found, "\""), found);
  }
  pairport_wipe(answer, size);
  return found != NULL;
}

static void show(program* all) {
  exchange* const first = &all->exchanges[0];
  exchange* const second = &all->exchanges[1];
  exchange* const third = &all->exchanges[2];
  char one[PAIRPORT_MAX_CODE + 2] = "/", two[PAIRPORT_MAX_CODE + 2] = "/";

  /* While the store sleeps, requests pile up; it then answers the newest first. */
  set_asleep(&all->store, 1);
  begin(all, first, PAIRPORT_METHOD_POST, "/", DEPOSIT("client1"));
  begin(all, second, PAIRPORT_METHOD_POST, "/", DEPOSIT("client2"));
  expect(status(first) == 0 && status(second) == 0, "there is no answer before the store's");
  set_asleep(&all->store, 0);
  serve(all);
  expect(status(first) == 200 && status(second) == 200, "deposits are stored");
  expect(all->out_of_order > 0, "the second reply has overtaken the first");
  expect(answers_with(first, "\"pairing_code\":\"", one + 1, sizeof one - 1), "there is a code");
  expect(answers_with(second, "\"pairing_code\":\"", two + 1, sizeof two - 1), "there is another one");

  begin(all, first, PAIRPORT_METHOD_GET, one, "");
  begin(all, second, PAIRPORT_METHOD_GET, two, "");
  begin(all, third, PAIRPORT_METHOD_GET, "/ABCDEFGHIJ", "");
  serve(all);
  expect(status(first) == 200 && answers_with(first, "client1", NULL, 0), "the first installer is the first's");
  expect(status(second) == 200 && answers_with(second, "client2", NULL, 0), "the second installer is the second's");
  expect(status(third) == 404, "no code, no installer");

  expect(revoke(all, one + 1) == PAIRPORT_OK, "a deposit can be revoked");
  expect(revoke(all, one + 1) == PAIRPORT_NOT_FOUND, "and then it is gone");
  begin(all, first, PAIRPORT_METHOD_GET, one, "");
  serve(all);
  expect(status(first) == 404, "a revoked deposit has no installer");

  /* A store that does not answer in time. Its reply comes nevertheless, and is not used. */
  set_asleep(&all->store, 1);
  all->patience_ms = 50;
  begin(all, second, PAIRPORT_METHOD_GET, two, "");
  serve(all);
  expect(status(second) == 503, "no reply is a refusal that may be repeated");
  expect(pairport_response_retry_after(second->response) > 0, "and says when");
  all->patience_ms = 60000;
  begin(all, second, PAIRPORT_METHOD_GET, two, "");
  set_asleep(&all->store, 0);
  serve(all);
  expect(status(second) == 200, "the store is back");
  expect(revoke(all, two + 1) == PAIRPORT_OK, "the last one is revoked, too");
  expect(all->too_late == 1, "the late reply was thrown away");
}

int main(void) {
  static program all;
  const pairport_now now = clock_now();
  pairport_options options;
  char message[256];
  size_t i;
  all.patience_ms = 60000;
  if (pairport_options_init(&options, sizeof options) != PAIRPORT_OK) return 1;
  options.url = text("https://pairing.example.com");
  options.store_elsewhere = 1;
  if (pairport_service_create(&options, &now, &all.service, message, sizeof message) != PAIRPORT_OK) {
    fprintf(stderr, "no service: %s\n", message);
    return 1;
  }
  for (i = 0; i + 1 < kExchanges; ++i) {
    expect(pairport_response_create(all.service, &all.exchanges[i].response) == PAIRPORT_OK, "there is memory");
  }
  expect(open_store(&all.store) == 0, "there is a thread");
  show(&all);
  close_store(&all.store);
  for (i = 0; i < kExchanges; ++i) pairport_response_destroy(all.exchanges[i].response);
  pairport_service_destroy(all.service);
  printf("%d replies came out of order, %d too late\n", all.out_of_order, all.too_late);
  return 0;
}
