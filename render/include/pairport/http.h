// SPDX-License-Identifier: MIT
// A request and its answer as the service knows them, without HTTP syntax and sockets.
#ifndef PAIRPORT_HTTP_H_
#define PAIRPORT_HTTP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pairport/client_address.h>
#include <pairport/export.h>
#include <pairport/store.h>

namespace pairport {

enum class Method : std::uint8_t { kGet, kHead, kPost, kOptions, kOther };

// "GET", "HEAD", ..., "other"; a static string.
PAIRPORT_EXPORT std::string_view to_string(Method method) noexcept;

// What a request asks for.
enum class Route : std::uint8_t {
  kOther,
  kDeposit,
  kInstaller,
  kUpdate,
  kUninstall,
  kPackage,
  kPreflight,
  kChallenge,
  kHealth,
  kAbout,  // GET /: the service describes itself
};

// "deposit", "installer", ...; a static string.
PAIRPORT_EXPORT std::string_view to_string(Route route) noexcept;

// The time at which a request is handled. The service has no clock of its own.
struct Now {
  // Decides what is expired. It must never go back. Use a clock that also runs while the machine is suspended
  // (CLOCK_BOOTTIME); with another clock a code lives longer by the time of the suspension.
  std::uint64_t monotonic_ms = 0;
  std::int64_t unix_seconds = 0;  // only written into answers
};

// Bytes of a body at most; the transport refuses a longer one.
inline constexpr std::size_t kMaxBody = 16 * 1024;

// A view of a request. The bytes that it points to must stay valid during Service::handle(), not longer. Header values
// have no white space around them and are empty when the header is missing.
struct Request {
  Method method = Method::kOther;
  std::string_view target;  // origin-form, absolute-form or `*`, still percent-encoded (RFC 9112 section 3.2)
  std::string_view user_agent;
  std::string_view accept;
  std::string_view accept_encoding;
  std::string_view content_type;
  std::string_view if_none_match;
  std::string_view if_range;
  std::string_view range;
  std::string_view body;
  ClientKey client;  // the rate limits of this client apply
};

// Answers requests for paths that are not the service's, so that an embedder can have other pages on the same port. The
// service does not ask it about possible pairing codes (a single segment of letters and digits), nor about requests
// that crossed a network unencrypted.
class PAIRPORT_EXPORT PathHandler {
 public:
  // A view. The body is `body` and then `fixed_body`.
  struct Answer {
    int status = 200;  // 200 to 599
    std::string_view content_type =
        "text/plain; charset=utf-8";   // at most kMaxContentType bytes, no control characters
    std::string_view body = {};        // at most kMaxBody bytes; copied when answer() has returned
    std::string_view fixed_body = {};  // not copied: stays valid as long as the service
  };
  static constexpr std::size_t kMaxContentType = 256;
  static constexpr std::size_t kMaxBody = 8 * 1024;

  virtual ~PathHandler();
  // `request` is valid during the call. False: there is nothing at this path either, and the answer is 404. An answer
  // that breaks the rules above becomes 500. Must not call the service.
  virtual bool answer(const Request& request, Answer& answer) noexcept = 0;
};

// A view of bytes to send.
struct Fragment {
  const char* data = nullptr;
  std::size_t size = 0;
};

struct Header {
  std::string_view name;
  std::string_view value;
};

// The folder of a requested file.
enum class FileFolder : std::uint8_t {
  kPackages,
  kChallenges,  // .well-known/acme-challenge of a web root (RFC 8555 section 8.3)
};

// The facts about a file that the owner of the service has opened.
struct FileInfo {
  std::uint64_t size = 0;
  std::uint64_t modified = 0;  // any number that changes with the file's content, such as its time of change
};

// A piece of a file.
struct FileRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// What a response needs from somebody else before there is an answer. A view of the response.
struct Pending {
  enum class Kind : std::uint8_t {
    kNothing,
    kFile,   // open the file `file_name` in `folder`
    kStore,  // carry out `operation`, whose store has answered kLater
  };
  Kind kind = Kind::kNothing;
  bool is_head = false;  // the request was HEAD: nothing of a file is sent
  FileFolder folder = FileFolder::kPackages;
  std::string_view file_name;  // no slash, no leading dot
  StoreOperation operation;    // holds a code and, with kPut, credentials
};

// The outcome of a Pending.
class PendingReply {
 public:
  // The file was opened. The caller sends the piece that Response::file_range() names then.
  PendingReply(const FileInfo& file) noexcept
      : kind_(Kind::kFile), file_(file) {}  // NOLINT(google-explicit-constructor)
  // What the store has answered. kLater counts as unavailable.
  PendingReply(const StoreReply& reply) noexcept  // NOLINT(google-explicit-constructor)
      : kind_(reply.code == StatusCode::kLater ? Kind::kUnavailable : Kind::kStore), store_(reply) {}
  // There is no such file.
  static PendingReply no_file() noexcept { return PendingReply(Kind::kNoFile); }
  // It could not be carried out: no descriptor, no connection, no time.
  static PendingReply unavailable() noexcept { return PendingReply(Kind::kUnavailable); }

  enum class Kind : std::uint8_t { kFile, kNoFile, kStore, kUnavailable };
  Kind kind() const noexcept { return kind_; }
  const FileInfo& file() const noexcept { return file_; }
  const StoreReply& store() const noexcept { return store_; }

 private:
  explicit PendingReply(Kind kind) noexcept : kind_(kind) {}

  Kind kind_;
  FileInfo file_;
  StoreReply store_;
};

// Headers that never change, once as a list and once as the bytes of an HTTP/1 header section ("Name: value\r\n" each).
// Movable, not copyable. Results of list() and wire() stay valid after a move, as long as the new object lives.
class PAIRPORT_EXPORT HeaderBlock {
 public:
  explicit HeaderBlock(const std::vector<std::pair<std::string_view, std::string>>& headers);

  HeaderBlock(HeaderBlock&&) noexcept = default;
  HeaderBlock& operator=(HeaderBlock&&) noexcept = default;

  std::span<const Header> list() const noexcept { return list_; }
  std::string_view wire() const noexcept { return {wire_.data(), wire_.size()}; }

 private:
  std::vector<char> wire_;    // unlike a string's, its bytes never move with the object
  std::vector<Header> list_;  // points into wire_
};

// Room for the credentials of an installer, or for any other text that is made for one request. It follows from the
// field limits: the longest form of a value is a POSIX shell literal, in which a quote becomes four characters.
inline constexpr std::size_t kResponseScratch = 16 * 1024;

// An answer. Service::handle() fills it. It is valid until the next handle() with it, its reset or its destruction,
// which wipe the credentials in its scratch; the Service must live as long. Neither copied nor moved, because its
// fragments point into it. One thread at a time.
class PAIRPORT_EXPORT Response {
 public:
  Response() noexcept = default;
  ~Response() { reset(); }
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;

  int status() const noexcept { return status_; }
  // The route of the request, also when it is refused.
  Route route() const noexcept { return route_; }
  // With Route::kInstaller and ServiceOptions::hash_codes: short_code_hash() of the code with a seed of this process.
  std::uint32_t code_hash() const noexcept { return code_hash_; }
  // All headers but extra_headers(), and but Date, Content-Length, Connection and Retry-After, which the transport
  // adds.
  const HeaderBlock& headers() const noexcept { return *headers_; }
  // Headers made for this answer, as bytes of an HTTP/1 header section.
  std::string_view extra_headers() const& noexcept { return extra_headers_; }
  std::string_view extra_headers() const&& = delete;
  // Seconds for a Retry-After header; 0: none.
  std::uint32_t retry_after() const noexcept { return retry_after_; }
  // Bytes of the body, for Content-Length; for HEAD the bytes that GET would send.
  std::uint64_t content_length() const noexcept { return content_length_; }
  // Whether the status allows a Content-Length at all (not 204 and 304, RFC 9110 section 8.6).
  bool has_content_length() const noexcept { return status_ != 204 && status_ != 304; }
  // The fragments to send; none for HEAD. At most kMaxFragments, none of them empty.
  static constexpr std::size_t kMaxFragments = 4;
  std::span<const Fragment> body() const& noexcept { return {fragments_.data(), fragment_count_}; }
  std::span<const Fragment> body() const&& = delete;

  // Whether there is no answer yet: carry out pending() and call Service::resume().
  bool is_pending() const noexcept { return pending_.kind != Pending::Kind::kNothing; }
  const Pending& pending() const& noexcept { return pending_; }
  const Pending& pending() const&& = delete;
  // The piece of the file that is the body, instead of body(); of size 0: none.
  const FileRange& file_range() const& noexcept { return file_range_; }
  const FileRange& file_range() const&& = delete;

  // Wipes the scratch and forgets the answer.
  void reset() noexcept;

 private:
  friend class Reply;  // the service fills the response with it
  static const HeaderBlock kNoHeaders;

  void add(std::string_view text) noexcept {
    if (text.empty()) return;
    fragments_[fragment_count_++] = {text.data(), text.size()};
    content_length_ += text.size();
  }

  int status_ = 0;
  Route route_ = Route::kOther;
  std::uint32_t code_hash_ = 0;
  std::uint32_t retry_after_ = 0;
  const HeaderBlock* headers_ = &kNoHeaders;
  std::string_view extra_headers_;
  std::uint64_t content_length_ = 0;
  std::size_t fragment_count_ = 0;
  std::array<Fragment, kMaxFragments> fragments_{};
  // What Service::resume() needs from the request; the views point into scratch_.
  struct Asked {
    std::string_view if_none_match;
    std::string_view if_range;
    std::string_view range_spec;
    ClientKey client;
    std::uint8_t platform = 0;
    std::uint8_t attempts = 0;  // codes that were drawn for a deposit
    bool as_problem = false;
    bool only_code = false;
    bool packed = false;
    bool compressed = false;
  };
  Pending pending_;
  Asked asked_;
  FileRange file_range_;
  std::size_t scratch_used_ = 0;
  std::array<char, kResponseScratch> scratch_;
};

// The reason phrase of a status that the service uses (RFC 9110 section 15); "Status" for others.
PAIRPORT_EXPORT std::string_view reason_phrase(int status) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_HTTP_H_
