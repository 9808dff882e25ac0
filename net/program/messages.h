// SPDX-License-Identifier: MIT
// Messages to the operator while the program serves.
#ifndef PAIRPORT_NET_MESSAGES_H_
#define PAIRPORT_NET_MESSAGES_H_

#include <memory>

#include <spdlog/logger.h>

#include <pairport/connection.h>
#include <pairport/server.h>
#include <pairport/service.h>
#include <pairport/tls.h>

#include "net/program/access_log.h"
#include "net/program/log_writer.h"

namespace pairport {

// Logs how long the certificates are still valid, and other facts about them that an operator should know.
void log_certificates(const TlsCredentials& credentials, bool only_warnings);

// Logs an event of the server, with its cause and its setting.
void log_event(const Service& service, Event event, int detail);

// Logs one line for each answer.
class AccessLog final : public AccessObserver {
 public:
  // REQUIRES: format is not kOff
  AccessLog(AccessFormat format, bool shorten, std::shared_ptr<LogWriter> writer);

  void on_answer(const AccessEntry& entry) noexcept override;

 private:
  const AccessFormat format_;
  const bool shorten_;
  const std::shared_ptr<spdlog::logger> log_;
};

}  // namespace pairport

#endif  // PAIRPORT_NET_MESSAGES_H_
