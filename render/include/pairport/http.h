// SPDX-License-Identifier: MIT
// A request and its answer as the service sees them: no bytes of HTTP, no sockets.
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

namespace pairport {

enum class Method : std::uint8_t { kGet, kHead, kPost, kOptions, kOther };

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
  kAbout,  // what the service says of itself: GET /
};

// "deposit", "installer", ...; a static string.
PAIRPORT_EXPORT std::string_view to_string(Route route) noexcept;

// When a request is handled. The service has no clock of its own.
struct Now {
  // Never goes back; decides what is expired. Of a clock that continues while the machine is suspended
  // (CLOCK_BOOTTIME); else a code lives longer by the time of the suspension.
  std::uint64_t monotonic_ms = 0;
  std::int64_t unix_seconds = 0;  // only written into answers
};

// Bytes of a body at most; the transport refuses a longer one.
inline constexpr std::size_t kMaxBody = 16 * 1024;

// A view of a request. Everything it points to must stay valid during Service::handle(), not longer. Header values
// without surrounding white space, empty when the header is missing.
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
  ClientKey client;  // whose rate limits apply
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

// Where a file that is asked for lies.
enum class FileFolder : std::uint8_t {
  kPackages,
  kChallenges,  // .well-known/acme-challenge of a web root (RFC 8555 section 8.3)
};

// What the owner of the service knows of a file when it has opened it.
struct FileInfo {
  std::uint64_t size = 0;
  std::uint64_t modified = 0;  // any number that changes with the file's content, such as its time of change
};

// A piece of a file.
struct FileRange {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Headers that never change, once as a list and once as the bytes of an HTTP/1 header section ("Name: value\r\n" each).
// Movable, not copyable; what list() and wire() gave out stays valid in the object that was moved to.
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

// Room for the credentials of an installer, or for any other text that is made for one request. Follows from the field
// limits: in a POSIX shell literal a quote becomes four characters, which is the worst of all quotings.
inline constexpr std::size_t kResponseScratch = 16 * 1024;

// An answer. Filled by Service::handle(), then valid until it is handled again, reset or destroyed; the Service must
// live as long. It holds credentials in its own scratch and wipes them then. Neither copied nor moved, because its
// fragments point into it. One thread at a time.
class PAIRPORT_EXPORT Response {
 public:
  Response() noexcept = default;
  ~Response() { reset(); }
  Response(const Response&) = delete;
  Response& operator=(const Response&) = delete;

  int status() const noexcept { return status_; }
  // The route of the request, whatever the answer is.
  Route route() const noexcept { return route_; }
  // With Route::kInstaller and ServiceOptions::hash_codes: short_code_hash() of the code with a seed of this process.
  std::uint32_t code_hash() const noexcept { return code_hash_; }
  // All headers but extra_headers() and Date, Content-Length, Connection and Retry-After, which the transport adds.
  const HeaderBlock& headers() const noexcept { return *headers_; }
  // Headers made for this answer, as bytes of an HTTP/1 header section.
  std::string_view extra_headers() const& noexcept { return extra_headers_; }
  std::string_view extra_headers() const&& = delete;
  // Seconds for a Retry-After header; 0: none.
  std::uint32_t retry_after() const noexcept { return retry_after_; }
  // Bytes of the body for Content-Length: for HEAD those that GET would send.
  std::uint64_t content_length() const noexcept { return content_length_; }
  // Whether the status allows a Content-Length at all (not 204 and 304, RFC 9110 section 8.6).
  bool has_content_length() const noexcept { return status_ != 204 && status_ != 304; }
  // What to send; empty for HEAD. At most kMaxFragments, none of them empty.
  static constexpr std::size_t kMaxFragments = 4;
  std::span<const Fragment> body() const& noexcept { return {fragments_.data(), fragment_count_}; }
  std::span<const Fragment> body() const&& = delete;

  // The file that the answer needs. When it is not empty, there is no answer yet: the owner of the service opens the
  // file and calls Service::answer_file().
  std::string_view file_name() const& noexcept { return file_.name; }
  std::string_view file_name() const&& = delete;
  // With a file_name(): the folder that it is in.
  FileFolder file_folder() const noexcept { return file_.folder; }
  // With a file_name(): whether the request was HEAD.
  bool is_head() const noexcept { return file_.is_head; }
  // After that: what of the file the body consists of, instead of body().
  const FileRange& file_range() const& noexcept { return file_.range; }
  const FileRange& file_range() const&& = delete;

  // Wipes the scratch and forgets the answer.
  void reset() noexcept;

 private:
  friend class Reply;  // by which the service fills it
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
  // What answer_file() has to know of the request; the views point into scratch_.
  struct File {
    std::string_view name;
    std::string_view if_none_match;
    std::string_view if_range;
    std::string_view range_spec;
    FileFolder folder = FileFolder::kPackages;
    bool is_head = false;
    bool as_problem = false;
    FileRange range;
  };
  File file_;
  std::size_t scratch_used_ = 0;
  std::array<char, kResponseScratch> scratch_;
};

// The reason phrase of a status that the service uses (RFC 9110 section 15); "Status" for others.
PAIRPORT_EXPORT std::string_view reason_phrase(int status) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_HTTP_H_
