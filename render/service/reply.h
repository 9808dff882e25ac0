// SPDX-License-Identifier: MIT
// How the service fills a Response.
#ifndef PAIRPORT_RENDER_REPLY_H_
#define PAIRPORT_RENDER_REPLY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <pairport/http.h>
#include <pairport/secret_memory.h>

namespace pairport {

// A view of a Response that may write it. Reset the Response before you create its first Reply.
class Reply {
 public:
  using Asked = Response::Asked;

  explicit Reply(Response& response) noexcept : response_(response) {}

  // For an access log: facts that are known before there is an answer.
  void note(Route route) noexcept { response_.route_ = route; }
  void note_code(std::uint32_t hash) noexcept { response_.code_hash_ = hash; }

  void begin(int status, const HeaderBlock& headers) noexcept {
    response_.status_ = status;
    response_.headers_ = &headers;
  }
  void set_retry_after(std::uint32_t seconds) noexcept { response_.retry_after_ = seconds; }

  // The part of the scratch that is not kept yet.
  std::span<char> scratch() noexcept { return std::span(response_.scratch_).subspan(response_.scratch_used_); }
  // Keeps the next `size` bytes of the scratch: they are wiped with the answer.
  void keep(std::size_t size) noexcept { response_.scratch_used_ += size; }

  void add(std::string_view text) noexcept { response_.add(text); }
  // A whole answer whose body has been written to scratch().
  void finish(int status, const HeaderBlock& headers, std::string_view text) noexcept {
    begin(status, headers);
    keep(text.size());
    add(text);
  }
  // Adds `lines` behind the headers. REQUIRES: they are at the beginning of scratch().
  void set_extra_headers(std::string_view lines) noexcept {
    keep(lines.size());
    response_.extra_headers_ = lines;
  }
  // For HEAD: Content-Length remains that of the body.
  void drop_body() noexcept { response_.fragment_count_ = 0; }

  // For a body that the owner of the service sends from a file.
  void set_file_body(std::uint64_t content_length, const FileRange& range) noexcept {
    response_.content_length_ = content_length;
    response_.file_range_ = range;
  }

  // What the response waits for, and what resume() needs to go on.
  Pending& pending() noexcept { return response_.pending_; }
  Asked& asked() noexcept { return response_.asked_; }
  // Ends the wait. What the views of both point to stays in the scratch.
  auto take_pending() noexcept {
    return std::pair(std::exchange(response_.pending_, {}), std::exchange(response_.asked_, {}));
  }
  std::span<char> kept() noexcept { return std::span(response_.scratch_).first(response_.scratch_used_); }
  // Wipes what is kept of the scratch.
  void empty_scratch() noexcept {
    wipe(response_.scratch_.data(), response_.scratch_used_);
    response_.scratch_used_ = 0;
  }

 private:
  Response& response_;
};

}  // namespace pairport

#endif  // PAIRPORT_RENDER_REPLY_H_
