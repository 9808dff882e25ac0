// SPDX-License-Identifier: MIT
#include "net/program/log.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include <spdlog/sinks/base_sink.h>

namespace pairport {
namespace {

class Sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  Sink(std::shared_ptr<LogWriter> writer, LogLine kind) : writer_(std::move(writer)), kind_(kind) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    line_.clear();
    formatter_->format(message, line_);
    writer_->write({line_.data(), line_.size()}, kind_);
  }
  void flush_() override {}

  const std::shared_ptr<LogWriter> writer_;
  const LogLine kind_;
  spdlog::memory_buf_t line_;
};

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(const std::string& name, std::shared_ptr<LogWriter> writer, LogLine kind,
                                            const std::string& pattern) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<Sink>(std::move(writer), kind));
  logger->set_pattern(pattern, spdlog::pattern_time_type::utc);
  return logger;
}

void log_lines(spdlog::level::level_enum level, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    spdlog::log(level, "{}", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace pairport
