// SPDX-License-Identifier: MIT
// The log of the program: spdlog's loggers over one LogWriter.
#ifndef PAIRPORT_NET_LOG_H_
#define PAIRPORT_NET_LOG_H_

#include <memory>
#include <string>
#include <string_view>

#include <spdlog/spdlog.h>

#include "net/program/log_writer.h"

namespace pairport {

// A logger whose lines, formatted by `pattern` with times in UTC, go through `writer`.
std::shared_ptr<spdlog::logger> make_logger(const std::string& name, std::shared_ptr<LogWriter> writer, LogLine kind,
                                            const std::string& pattern);

// One line of the default logger for each line of `text`.
void log_lines(spdlog::level::level_enum level, std::string_view text);

}  // namespace pairport

#endif  // PAIRPORT_NET_LOG_H_
