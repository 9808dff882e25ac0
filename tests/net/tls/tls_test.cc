// SPDX-License-Identifier: MIT
#include <pairport/tls.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/connection_fixture.h"
#include "support/failing_new.h"
#include "support/forked_child.h"
#include "support/tls_kit.h"

namespace pairport::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const CertificatePem& ecdsa_certificate() {
  static const CertificatePem made = make_certificate({"pair.example.com", "*.pair.example.org"});
  return made;
}

const CertificatePem& rsa_certificate() {
  CertificateKind kind;
  kind.rsa = true;
  static const CertificatePem made = make_certificate({"pair.example.com"}, kind);
  return made;
}

std::unique_ptr<TlsContext> make_context(const std::vector<CertificatePem>& certificates, TlsOptions options = {}) {
  auto created = TlsContext::create(options, test_random);
  EXPECT_TRUE(created.ok()) << created.status().message();
  std::vector<TlsCertificate> views;
  for (const CertificatePem& certificate : certificates) views.push_back(certificate.view());
  auto credentials = created.value()->load(views);
  EXPECT_TRUE(credentials.ok()) << credentials.status().message();
  created.value()->use(std::move(credentials).value());
  return std::move(created).value();
}

// A client and a server; plays the owner of both.
class Talk {
 public:
  explicit Talk(TlsClientOptions options = {}, std::vector<CertificatePem> certificates = {ecdsa_certificate()},
                ConnectionLimits limits = {})
      : Talk(make_context(certificates), std::move(options), limits) {}
  Talk(std::unique_ptr<TlsContext> context, TlsClientOptions options = {}, ConnectionLimits limits = {})
      : wire({}, limits), tls_context(std::move(context)), client(std::move(options)) {
    connect();
  }

  void connect() {
    tls.reset();
    wire.connection = std::make_unique<Connection>(*wire.context, ClientAddress{}, wire.now);
    tls = std::make_unique<TlsConnection>(*tls_context, *wire.connection, wire.now);
  }

  // An allocation fails only during a call of the library, not in the test.
  template <typename Call>
  void call(Call&& function) {
    Allocations::watching = true;
    function();
    Allocations::watching = false;
  }

  // Does what the owner of a TlsConnection does.
  void serve() {
    while (true) {
      if (tls->wants_handshake()) {
        ++steps;
        call([&] { tls->begin_handshake(tls->lane().value_or(0)); });
        EXPECT_TRUE(tls->output().empty());
        EXPECT_FALSE(tls->wants_input());
        call([&] {
          tls->handshake();
          tls->on_handshake(wire.now);
        });
      } else if (!tls->output().empty() && writable) {
        const Fragment& first = tls->output().front();
        const std::size_t count = std::min(write_size, first.size);
        client.from_server.append(first.data, count);
        call([&] { tls->on_output(count, wire.now); });
      } else {
        break;
      }
    }
    shut_down = shut_down || tls->wants_shutdown();
  }
  // Lets the two talk until neither has anything to say; ciphertext arrives in pieces of the sizes that `next_size`
  // gives.
  void run(const std::function<std::size_t()>& next_size = [] { return Connection::kMaxInput; }) {
    serve();
    client.pump();
    while (!client.to_server.empty() && tls->wants_input()) {
      const std::size_t size = std::min({next_size(), client.to_server.size(), Connection::kMaxInput});
      const std::unique_ptr<char[]> piece(new char[size]);
      std::copy_n(client.to_server.data(), size, piece.get());
      client.to_server.erase(0, size);
      call([&] { tls->on_input({piece.get(), size}, wire.now); });
      serve();
      client.pump();
    }
    client.pump();
  }
  void say(std::string_view plaintext) {
    client.write(plaintext);
    run();
  }
  // Bytes that no client has encrypted.
  void feed_raw(std::string_view bytes) {
    while (!bytes.empty() && tls->wants_input()) {
      const std::size_t size = std::min(bytes.size(), Connection::kMaxInput);
      tls->on_input(bytes.substr(0, size), wire.now);
      bytes.remove_prefix(size);
      serve();
    }
    client.pump();
  }
  void wait(std::uint64_t ms) {
    wire.now.monotonic_ms += ms;
    tls->on_deadline(wire.now);
    run();
  }

  Wire wire;
  std::unique_ptr<TlsContext> tls_context;
  TlsClient client;
  std::unique_ptr<TlsConnection> tls;
  std::size_t write_size = static_cast<std::size_t>(-1);
  bool writable = true;
  bool shut_down = false;
  int steps = 0;
};

std::string plain_answer(std::string_view request) {
  Wire wire;
  wire.feed(request);
  return wire.output;
}

TEST(TlsTest, AnswersAreThoseOfPlainHttp) {
  for (const char* target : {"/0000000", "/0000000.ps1", "/update", "/uninstall", "/nothing"}) {
    Talk talk;
    talk.run();
    EXPECT_TRUE(talk.client.established);
    EXPECT_EQ(talk.client.protocol(), "http/1.1");
    talk.say(get(target));
    EXPECT_EQ(talk.client.received, plain_answer(get(target))) << target;
    EXPECT_TRUE(talk.tls->is_open());
    EXPECT_TRUE(talk.tls->waits_for_request());
  }
}

TEST(TlsTest, AnswersDoNotDependOnHowBytesAreCut) {
  const std::string requests =
      post(kJsonDeposit) + get("/0000000") + get("/update") + post(kJsonDeposit) + get("/0000000");
  std::string whole;
  for (int cut = 0; cut < 20; ++cut) {
    Talk talk;
    std::mt19937 engine(static_cast<unsigned>(cut));
    const auto next_size = [&]() -> std::size_t {
      return cut == 0 ? Connection::kMaxInput : cut == 1 ? 1 : 1 + engine() % 600;
    };
    talk.write_size = cut == 0 ? std::size_t{1'000'000} : 1 + engine() % 5'000;
    talk.run(next_size);
    ASSERT_TRUE(talk.client.established) << cut;
    talk.client.write(requests);
    talk.run(next_size);
    if (cut == 0) whole = talk.client.received;
    EXPECT_EQ(talk.client.received, whole) << cut;
  }
  EXPECT_GT(whole.size(), 80'000U);
}

TEST(TlsTest, WithoutMemoryAConnectionEndsWhicheverAllocationFails) {
  for (const bool all_after : {false, true}) {
    bool failed = true;
    std::size_t fail_at = 1;
    for (; failed; ++fail_at) {
      ASSERT_LT(fail_at, 100U);
      Talk talk;
      {
        const Watch watch(fail_at, all_after);
        Allocations::watching = false;
        talk.run();
        if (talk.client.established && !talk.tls->wants_close()) talk.say(get("/0000000"));
        failed = Allocations::failed;
      }
      EXPECT_NE(talk.client.received.starts_with("HTTP/1.1 200 OK"), talk.tls->wants_close()) << fail_at;
      EXPECT_EQ(talk.tls->wants_close(), failed) << fail_at;
    }
    EXPECT_GT(fail_at, 3U) << "several have failed";
  }
}

TEST(TlsTest, AHandshakeIsAskedForOnlyWithAWholeRecord) {
  Talk talk;
  talk.client.pump();
  const std::string hello = std::exchange(talk.client.to_server, {});
  for (std::size_t i = 0; i + 1 < hello.size(); ++i) {
    talk.feed_raw(hello.substr(i, 1));
    ASSERT_EQ(talk.steps, 0) << i;
  }
  talk.feed_raw(hello.substr(hello.size() - 1));
  EXPECT_EQ(talk.steps, 1);
}

struct Suite {
  int id;
  bool rsa;
  bool tls13;
};

class TlsSuiteTest : public ::testing::TestWithParam<Suite> {};

TEST_P(TlsSuiteTest, IsSpoken) {
  TlsClientOptions options;
  options.suites = {GetParam().id};
  options.only_tls12 = !GetParam().tls13;
  options.only_tls13 = GetParam().tls13;
  Talk talk(options, {GetParam().rsa ? rsa_certificate() : ecdsa_certificate()});
  talk.run();
  ASSERT_TRUE(talk.client.established);
  EXPECT_EQ(talk.client.version(), GetParam().tls13 ? "TLSv1.3" : "TLSv1.2");
  EXPECT_EQ(talk.tls->version(), talk.client.version());
  EXPECT_EQ(talk.tls->cipher_suite(), talk.client.suite());
  talk.say(get("/0000000"));
  EXPECT_EQ(talk.client.received, plain_answer(get("/0000000")));
}

std::vector<Suite> suites() {
  std::vector<Suite> all;
  for (const int id : mbed::kSuites) {
    if (id == 0) continue;
    const std::string name = mbedtls_ssl_get_ciphersuite_name(id);
    const bool tls13 = name.starts_with("TLS1-3");
    all.push_back({id, name.find("ECDHE-RSA") != std::string::npos, tls13});
    if (tls13) all.push_back({id, true, true});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(All, TlsSuiteTest, ::testing::ValuesIn(suites()),
                         [](const ::testing::TestParamInfo<Suite>& test) {
                           std::string name = mbedtls_ssl_get_ciphersuite_name(test.param.id);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name + (test.param.tls13 && test.param.rsa ? "_with_RSA" : "");
                         });

TEST(TlsTest, WeakSuitesAreRefused) {
  for (const int id : {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, MBEDTLS_TLS_RSA_WITH_AES_128_GCM_SHA256,
                       MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, MBEDTLS_TLS_DHE_RSA_WITH_AES_128_GCM_SHA256}) {
    TlsClientOptions options;
    options.suites = {id};
    options.only_tls12 = true;
    Talk talk(options, {rsa_certificate(), ecdsa_certificate()});
    talk.run();
    EXPECT_FALSE(talk.client.established) << id;
    EXPECT_EQ(talk.client.error, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    EXPECT_TRUE(talk.tls->wants_shutdown());
  }
}

#if MBEDTLS_VERSION_NUMBER < 0x03000000
TEST(TlsTest, OldVersionsAreRefused) {
  TlsClientOptions options;
  options.tls11 = true;
  Talk talk(options);
  talk.run();
  EXPECT_FALSE(talk.client.established);
  EXPECT_EQ(talk.client.error, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
}

TEST(TlsTest, Tls13IsNotPromisedWhereItIsMissing) {
  TlsOptions options;
  options.min_version = TlsVersion::kTls13;
  const auto created = TlsContext::create(options, test_random);
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(created.status().message()), HasSubstr("has no TLS 1.3"));
}
#else
TEST(TlsTest, Tls12CanBeRefused) {
  TlsOptions options;
  options.min_version = TlsVersion::kTls13;
  TlsClientOptions client;
  client.only_tls12 = true;
  Talk talk(make_context({ecdsa_certificate()}, options), client);
  talk.run();
  EXPECT_FALSE(talk.client.established);
  Talk modern(make_context({ecdsa_certificate()}, options));
  modern.run();
  EXPECT_EQ(modern.client.version(), "TLSv1.3");
}
#endif

TEST(TlsTest, AClientThatSpeaksNoHttp1IsTold) {
  TlsClientOptions options;
  options.protocols = {"h2"};
  Talk talk(options);
  talk.run();
  EXPECT_FALSE(talk.client.established);
  EXPECT_NE(talk.client.error, 0);

  options.protocols = {"h2", "http/1.1"};
  Talk both(options);
  both.run();
  EXPECT_EQ(both.client.protocol(), "http/1.1");
}

TEST(TlsTest, TheServerNameChoosesTheCertificate) {
  const CertificatePem other = make_certificate({"other.example.com"});
  const std::vector<CertificatePem> certificates{ecdsa_certificate(), other};
  for (const auto& [host, expected] :
       {std::pair<std::string, const CertificatePem*>{"pair.example.com", &ecdsa_certificate()},
        {"other.example.com", &other},
        {"OTHER.example.COM", &other},
        {"a.pair.example.org", &ecdsa_certificate()},
        {"unknown.example.com", &ecdsa_certificate()},
        {"", &ecdsa_certificate()}}) {
    TlsClientOptions options;
    options.host = host;
    Talk talk(options, certificates);
    talk.run();
    ASSERT_TRUE(talk.client.established) << host;
    EXPECT_EQ(talk.client.certificate(), der_of(*expected)) << host;
  }
}

TEST(TlsTest, TwoKindsOfKeysForOneName) {
  for (const bool rsa : {false, true}) {
    TlsClientOptions options;
    options.only_tls12 = true;
    options.suites = {rsa ? MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
                          : MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256};
    for (const char* host : {"pair.example.com", "no.such.name"}) {
      options.host = host;
      Talk talk(options, {ecdsa_certificate(), rsa_certificate()});
      talk.run();
      ASSERT_TRUE(talk.client.established) << rsa << host;
      EXPECT_EQ(talk.client.certificate(), der_of(rsa ? rsa_certificate() : ecdsa_certificate()));
    }
  }
}

TEST(TlsTest, NamesOfCertificates) {
  EXPECT_TRUE(matches_host("a.example", "A.example"));
  EXPECT_TRUE(matches_host("a.example", "a.example."));
  EXPECT_TRUE(matches_host("*.a.example", "b.a.example"));
  EXPECT_FALSE(matches_host("*.a.example", "a.example"));
  EXPECT_FALSE(matches_host("*.a.example", "c.b.a.example"));
  EXPECT_FALSE(matches_host("*.a.example", ".a.example"));
  EXPECT_FALSE(matches_host("a.example", "b.example"));
  EXPECT_FALSE(matches_host("", "b.example"));
  EXPECT_FALSE(matches_host("*.a.example", ""));
}

TEST(TlsTest, NewCertificatesAreForNewConnections) {
  const CertificatePem renewed = make_certificate({"pair.example.com"});
  Talk talk;
  talk.run();
  auto credentials = talk.tls_context->load({{renewed.view()}});
  ASSERT_TRUE(credentials.ok());
  talk.tls_context->use(std::move(credentials).value());
  talk.say(get("/0000000"));
  EXPECT_THAT(talk.client.received, StartsWith("HTTP/1.1 200 OK\r\n"));

  // The same service, another connection.
  talk.connect();
  TlsClient second;
  for (int i = 0; i < 3; ++i) {
    second.pump();
    talk.tls->on_input(std::exchange(second.to_server, {}), talk.wire.now);
    talk.serve();
    second.from_server += std::exchange(talk.client.from_server, {});
  }
  ASSERT_TRUE(second.established);
  EXPECT_EQ(second.certificate(), der_of(renewed));
}

TEST(TlsTest, WhatIsWrongWithACertificateIsSaid) {
  const auto context = TlsContext::create({}, test_random);
  ASSERT_TRUE(context.ok());
  const auto problem = [&](const CertificatePem& pem) {
    const auto loaded = context.value()->load({{pem.view("cert.pem")}});
    if (loaded.ok()) return std::string();
    EXPECT_EQ(loaded.status().code(), StatusCode::kInvalidArgument);
    return std::string(loaded.status().message());
  };
  const CertificatePem& good = ecdsa_certificate();
  EXPECT_EQ(problem(good), "");
  EXPECT_THAT(problem({"", good.key}), StartsWith("cert.pem: the certificate is not valid PEM: "));
  EXPECT_THAT(problem({"nonsense", good.key}), StartsWith("cert.pem: the certificate is not valid PEM: "));
  EXPECT_THAT(problem({good.chain, "nonsense"}), StartsWith("cert.pem: the key is not a valid PEM private key: "));
  EXPECT_THAT(problem({good.chain, ""}), StartsWith("cert.pem: the key is not a valid PEM private key: "));
  EXPECT_THAT(problem({good.chain, rsa_certificate().key}),
              HasSubstr("the key does not belong to the first certificate"));
  EXPECT_THAT(
      problem({good.chain + good.chain.substr(0, good.chain.size() / 2) + "\n-----END CERTIFICATE-----\n", good.key}),
      HasSubstr("cannot be read"));
  EXPECT_THAT(problem({rsa_certificate().chain + good.chain, rsa_certificate().key}), "");
  EXPECT_THAT(problem({good.chain + rsa_certificate().chain, rsa_certificate().key}),
              HasSubstr("the key does not belong to the first certificate"));
  const std::string encrypted =
      "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
      "00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END EC PRIVATE KEY-----\n";
  EXPECT_THAT(problem({good.chain, encrypted}), HasSubstr("the key is encrypted; write it without a passphrase"));
  CertificateKind weak;
  weak.rsa = true;
  weak.rsa_bits = 1024;
  EXPECT_THAT(problem(make_certificate({"a.example"}, weak)), HasSubstr("less than 2048 bits"));
  EXPECT_FALSE(context.value()->load({}).ok());
  // No message shows a key.
  EXPECT_THAT(problem({good.chain, "-----BEGIN PRIVATE KEY-----\nTOPSECRET\n-----END PRIVATE KEY-----\n"}),
              Not(HasSubstr("TOPSECRET")));
}

TEST(TlsTest, TheFirstToExpireIsKnown) {
  CertificateKind early;
  early.not_after = "20300102030405";
  const CertificatePem first = make_certificate({"a.example"});
  const CertificatePem second = make_certificate({"b.example"}, early);
  const auto context = TlsContext::create({}, test_random);
  const auto loaded = context.value()->load({{first.view("first"), second.view("second")}});
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.value()->not_after(), 1'893'553'445);
  EXPECT_EQ(loaded.value()->first_to_expire(), "second");
}

TEST(TlsTest, PlainHttpIsAnsweredInPlainHttp) {
  for (const std::string& request :
       {get("/0000000"), post(kJsonDeposit), std::string("CONNECT x:443 HTTP/1.1\r\n\r\n")}) {
    Talk talk;
    talk.tls->on_input(request, talk.wire.now);
    talk.serve();
    EXPECT_THAT(talk.client.from_server, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_THAT(talk.client.from_server, HasSubstr("https://"));
    EXPECT_EQ(talk.steps, 0);
    EXPECT_TRUE(talk.tls->wants_shutdown());
    talk.tls->on_input_end(talk.wire.now);
    EXPECT_TRUE(talk.tls->wants_close());
  }
}

TEST(TlsTest, GarbageGetsAnAlert) {
  for (const std::string& bytes :
       {std::string("\x80\x2e\x01\x00\x02", 5), std::string(100, '\0'), std::string("\x17\x03\x03\x00\x10", 5),
        std::string("\xff"), std::string("ssh-2.0\r\n")}) {
    Talk talk;
    talk.tls->on_input(bytes, talk.wire.now);
    talk.serve();
    EXPECT_EQ(talk.client.from_server, std::string("\x15\x03\x03\x00\x02\x02\x0a", 7));
    EXPECT_EQ(talk.steps, 0);
    EXPECT_TRUE(talk.tls->wants_shutdown());
    EXPECT_TRUE(talk.tls->wants_input());
    talk.wait(2'000);
    EXPECT_TRUE(talk.tls->wants_close());
  }
}

TEST(TlsTest, MalformedHandshakesEnd) {
  const std::string header("\x16\x03\x01", 3);
  for (const std::string& bytes :
       {header + std::string("\x00\x00", 2), header + "\xff\xff" + "x", header + std::string("\x00\x05hello", 7),
        header + std::string("\x00\x04\x01\x00\x00\x00", 6),
        header + std::string("\x48\x01\x00", 3) + std::string(9, 'x'),
        header + std::string("\x40\x00", 2) + std::string(16'384, 'x'),
        std::string("\x16\x02\x00\x00\x04\x01\x00\x00\x00", 9)}) {
    Talk talk;
    talk.feed_raw(bytes);
    EXPECT_LE(talk.steps, 1);
    EXPECT_FALSE(talk.tls->is_open());
    // 3.6 may take it for the beginning of a message of several records.
    if (!talk.tls->wants_shutdown()) talk.wait(10'000);
    EXPECT_TRUE(talk.tls->wants_shutdown() || talk.tls->wants_close());
    if (talk.tls->wants_shutdown()) {
      EXPECT_EQ(talk.client.error, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    }
  }
}

TEST(TlsTest, DamagedRecordsEndTheConnection) {
  Talk talk;
  talk.run();
  talk.client.write(get("/0000000"));
  talk.client.to_server.back() = static_cast<char>(talk.client.to_server.back() ^ 1);
  talk.run();
  EXPECT_EQ(talk.client.received, "");
  EXPECT_EQ(talk.client.error, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
  EXPECT_TRUE(talk.tls->wants_shutdown());
}

TEST(TlsTest, RecordsThatAreTooLongEndTheConnection) {
  Talk talk;
  talk.run();
  talk.feed_raw(std::string("\x17\x03\x03\x50\x00", 5) + std::string(16'000, 'x'));
  EXPECT_TRUE(talk.tls->wants_shutdown());
  talk.run();
  EXPECT_FALSE(talk.client.close_notified);
  EXPECT_EQ(talk.client.error, MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
}

TEST(TlsTest, OurEndIsTold) {
  Talk talk;
  talk.run();
  talk.say(get("/0000000", "Connection: close\r\n"));
  EXPECT_EQ(talk.client.received, plain_answer(get("/0000000", "Connection: close\r\n")));
  EXPECT_TRUE(talk.client.close_notified);
  EXPECT_TRUE(talk.tls->wants_shutdown());
  EXPECT_FALSE(talk.tls->wants_close());
  talk.client.close_notify();
  talk.run();
  EXPECT_FALSE(talk.tls->wants_close());
  talk.tls->on_input_end(talk.wire.now);
  EXPECT_TRUE(talk.tls->wants_close());
}

TEST(TlsTest, APeerThatDoesNotEndIsNotWaitedForLong) {
  Talk talk;
  talk.run();
  talk.say(get("/0000000", "Connection: close\r\n"));
  talk.wait(1'999);
  EXPECT_FALSE(talk.tls->wants_close());
  talk.wait(1);
  EXPECT_TRUE(talk.tls->wants_close());
}

TEST(TlsTest, AnIdleConnectionEndsWithCloseNotify) {
  Talk talk;
  talk.run();
  talk.say(get("/0000000"));
  talk.wait(60'000);
  EXPECT_TRUE(talk.client.close_notified);
}

TEST(TlsTest, APeersEndIsAnEnd) {
  Talk talk;
  talk.run();
  talk.client.write(get("/0000000"));
  talk.client.close_notify();
  talk.run();
  EXPECT_EQ(talk.client.received, plain_answer(get("/0000000")));
  EXPECT_TRUE(talk.client.close_notified);
  EXPECT_TRUE(talk.tls->wants_shutdown());
}

TEST(TlsTest, APeersEndWithoutNoticeIsAnEndToo) {
  Talk talk;
  talk.run();
  talk.client.write(get("/0000000"));
  talk.writable = false;
  talk.run();
  talk.tls->on_input_end(talk.wire.now);
  talk.writable = true;
  talk.run();
  EXPECT_EQ(talk.client.received, plain_answer(get("/0000000")));
  EXPECT_TRUE(talk.client.close_notified);
  EXPECT_TRUE(talk.tls->wants_close());
}

TEST(TlsTest, ATruncationCanBeSeen) {
  ConnectionLimits limits;
  Talk talk({}, {ecdsa_certificate()}, limits);
  talk.run();
  talk.writable = false;
  talk.say(get("/0000000"));
  EXPECT_NE(talk.tls->deadline(), Connection::kNoDeadline);
  talk.wait(100'000);
  EXPECT_TRUE(talk.tls->wants_close());
  EXPECT_TRUE(talk.tls->output().empty());
  talk.writable = true;
  talk.run();
  EXPECT_FALSE(talk.client.close_notified);
}

TEST(TlsTest, TheDeadlineOfAnAnswerGoesOnUntilItsCiphertextIsSent) {
  Talk talk;
  talk.run();
  talk.writable = false;
  talk.say(get("/nothing"));
  // All of it is encrypted, none of it sent.
  EXPECT_FALSE(talk.tls->wants_input());
  EXPECT_FALSE(talk.tls->waits_for_request());
  EXPECT_LT(talk.tls->deadline(), talk.wire.now.monotonic_ms + 12'000);
  talk.writable = true;
  talk.run();
  EXPECT_EQ(talk.tls->deadline(), talk.wire.now.monotonic_ms + 60'000);
}

TEST(TlsTest, HandshakesHaveADeadline) {
  Talk silent;
  EXPECT_EQ(silent.tls->deadline(), silent.wire.now.monotonic_ms + 10'000);
  EXPECT_TRUE(silent.tls->waits_for_request());
  silent.wire.now.monotonic_ms += 9'999;
  silent.tls->on_deadline(silent.wire.now);
  EXPECT_FALSE(silent.tls->wants_close());
  silent.wire.now.monotonic_ms += 1;
  silent.tls->on_deadline(silent.wire.now);
  EXPECT_TRUE(silent.tls->wants_close());
  EXPECT_TRUE(silent.tls->output().empty());

  Talk stalled;
  stalled.client.pump();
  stalled.feed_raw(std::exchange(stalled.client.to_server, {}));
  EXPECT_EQ(stalled.steps, 1);
  stalled.wire.now.monotonic_ms += 10'000;
  stalled.tls->on_deadline(stalled.wire.now);
  EXPECT_TRUE(stalled.tls->wants_close());
}

TEST(TlsTest, TheTimeForAHeadBeginsAfterTheHandshake) {
  Talk talk;
  talk.wire.now.monotonic_ms += 9'000;
  talk.run();
  ASSERT_TRUE(talk.client.established);
  EXPECT_EQ(talk.tls->deadline(), talk.wire.now.monotonic_ms + 10'000);
}

TEST(TlsTest, PipelinedRequestsWaitForTheirTurn) {
  Talk talk;
  talk.run();
  std::string requests;
  for (int i = 0; i < 40; ++i) requests += get("/0000000");
  talk.writable = false;
  talk.say(requests);
  EXPECT_FALSE(talk.tls->wants_input());
  talk.writable = true;
  talk.run();
  const std::string one = plain_answer(get("/0000000"));
  EXPECT_EQ(talk.client.received.size(), 40 * one.size());
  EXPECT_EQ(talk.client.received.substr(39 * one.size()), one);
}

TEST(TlsTest, ManySmallRecordsAreRead) {
  Talk talk;
  talk.run();
  for (const char c : get("/0000000")) talk.client.write({&c, 1});
  talk.run();
  EXPECT_EQ(talk.client.received, plain_answer(get("/0000000")));
}

TEST(TlsTest, FinishLetsTheAnswerEnd) {
  Talk talk;
  talk.run();
  talk.writable = false;
  talk.say(get("/0000000"));
  talk.tls->finish(talk.wire.now);
  talk.writable = true;
  talk.run();
  EXPECT_EQ(talk.client.received, plain_answer(get("/0000000")));
  EXPECT_TRUE(talk.client.close_notified);

  Talk idle;
  idle.run();
  idle.tls->finish(idle.wire.now);
  idle.run();
  EXPECT_TRUE(idle.client.close_notified);

  Talk fresh;
  fresh.tls->finish(fresh.wire.now);
  EXPECT_TRUE(fresh.tls->wants_close());
}

TEST(TlsTest, AForkedChildMayDestroyWhatItInherits) {
  Talk talk;
  talk.run();
  talk.writable = false;
  talk.say(get("/0000000"));
  EXPECT_TRUE(in_a_forked_child([&] {
    talk.tls.reset();
    talk.wire.connection.reset();
    talk.wire.context.reset();
    talk.wire.service.reset();
    talk.tls_context.reset();
    return true;
  }));
  talk.writable = true;
  talk.run();
  EXPECT_EQ(talk.client.received, plain_answer(get("/0000000"))) << "nothing has changed here";
}

}  // namespace
}  // namespace pairport::testing
