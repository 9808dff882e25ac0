// SPDX-License-Identifier: MIT
// Answers that wait for somebody else, and files that are sent in pieces.
#include <pairport/connection.h>

#include "core/base/check.h"
#include "net/http1/connection_context.h"

namespace pairport {

const Pending& Connection::pending() const noexcept {
  static const Pending kNothing;
  return is_pending() ? last_exchange_->response.pending() : kNothing;
}

bool Connection::resume(std::uint32_t id, const PendingReply& reply, const Now& now) noexcept {
  if (!is_pending() || id != pending_id_) return false;
  Response& response = last_exchange_->response;
  context_.service_.resume(reply, now, response);
  if (response.is_pending()) {
    wait_for_reply(pending_until_ms_);
  } else {
    pending_id_ = 0;
    start_answer(now);
  }
  return true;
}

void Connection::on_data(std::string_view data, const Now& now) noexcept {
  if (state_ != State::kAnswering) return;
  if (data.empty()) return close();
  PAIRPORT_CHECK(data.size() <= file_rest_.size && output().empty());
  file_rest_.offset += data.size();
  file_rest_.size -= data.size();
  set_output({data.data(), data.size()});
  expect_to_send(data.size(), now);
}

}  // namespace pairport
