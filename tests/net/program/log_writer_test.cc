// SPDX-License-Identifier: MIT
#include "net/program/log_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/base/file_descriptor.h"

namespace pairport {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSoon{20'000};

// A pipe with somebody at its other end who reads when the test says so.
class LogWriterTest : public ::testing::Test {
 protected:
  LogWriterTest() {
    std::signal(SIGPIPE, SIG_IGN);
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    reader_ = FileDescriptor(ends[0]);
    // The thread may still wait there when the test is over: open as long as the process.
    fd_ = ends[1];
  }

  // Leaves no room in the pipe, so that whoever writes to it waits.
  void fill_pipe() const {
    const int flags = fcntl(fd_, F_GETFL);
    fcntl(fd_, F_SETFL, flags | O_NONBLOCK);
    while (::write(fd_, "x\n", 2) == 2) {
    }
    fcntl(fd_, F_SETFL, flags);
  }
  // Reads until `last` has come. Without what fill_pipe() wrote.
  std::vector<std::string> read_up_to(const std::string& last) {
    std::string text;
    std::array<char, 65536> buffer;
    while (!text.ends_with(last + "\n")) {
      const ssize_t count = read(reader_.get(), buffer.data(), buffer.size());
      if (count <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
      if (line != "x") lines.push_back(line);
    }
    return lines;
  }
  static std::string numbered(std::size_t number) { return "line " + std::to_string(number) + std::string(80, '.'); }

  FileDescriptor reader_;
  int fd_ = -1;
};

TEST_F(LogWriterTest, BeforeItsStartItWritesAtOnce) {
  LogWriter log(fd_);
  log.write("one\n", LogLine::kMessage);
  log.write("two\n", LogLine::kAccess);
  EXPECT_EQ(read_up_to("two"), (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(log.finish(kSoon));
}

TEST_F(LogWriterTest, LinesComeInTheirOrder) {
  LogWriter log(fd_);
  ASSERT_TRUE(log.start());
  // Several times around the buffer.
  const std::size_t count = 3 * LogWriter::kCapacity / numbered(10'000).size();
  for (std::size_t round = 0; round * 500 < count; ++round) {
    for (std::size_t i = 0; i < 500; ++i) log.write(numbered(i) + "\n", LogLine::kAccess);
    const std::vector<std::string> lines = read_up_to(numbered(499));
    ASSERT_EQ(lines.size(), 500U);
    for (std::size_t i = 0; i < 500; ++i) ASSERT_EQ(lines[i], numbered(i));
  }
  EXPECT_TRUE(log.finish(kSoon));
}

TEST_F(LogWriterTest, NobodyWaitsForAReaderAndWhatIsLostIsCounted) {
  fill_pipe();
  LogWriter log(fd_);
  ASSERT_TRUE(log.start());
  const std::size_t count = 2 * LogWriter::kCapacity / numbered(10'000).size();
  for (std::size_t i = 0; i < count; ++i) log.write(numbered(i) + "\n", LogLine::kAccess);  // would never return
  EXPECT_FALSE(log.finish(milliseconds{1}));
  log.write("a message has room\n", LogLine::kMessage);
  const std::vector<std::string> lines = read_up_to("a message has room");
  ASSERT_GT(lines.size(), 2U);
  // What was lost is told where it was lost: behind the lines of before, and before the message.
  const std::size_t kept = lines.size() - 2;
  EXPECT_GT(kept * numbered(10'000).size(), (LogWriter::kCapacity - LogWriter::kForMessages) * 9 / 10);
  for (std::size_t i = 0; i < kept; ++i) ASSERT_EQ(lines[i], numbered(i));
  EXPECT_NE(lines[kept].find(" warning: " + std::to_string(count - kept) + " lines of the log were lost"),
            std::string::npos)
      << lines[kept];
  EXPECT_TRUE(log.finish(kSoon));
}

TEST_F(LogWriterTest, WhatIsLostIsToldWithoutAnotherLine) {
  LogWriter log(fd_);
  ASSERT_TRUE(log.start());
  const std::size_t count = 2 * LogWriter::kCapacity / numbered(10'000).size();
  for (std::size_t i = 0; i < count; ++i) log.write(numbered(i) + "\n", LogLine::kMessage);
  std::string text;
  std::array<char, 65536> buffer;
  while (text.find("lines of the log were lost") == std::string::npos) {
    const ssize_t size = read(reader_.get(), buffer.data(), buffer.size());
    ASSERT_GT(size, 0);
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

TEST_F(LogWriterTest, AReaderThatIsGoneHoldsUpNobody) {
  LogWriter log(fd_);
  ASSERT_TRUE(log.start());
  reader_ = FileDescriptor();
  for (std::size_t i = 0; i < 50'000; ++i) log.write(numbered(i) + "\n", LogLine::kMessage);
  EXPECT_TRUE(log.finish(kSoon)) << "there is nothing left to try";
}

TEST(LogWriterToFileTest, AFullDiskHoldsUpNobody) {
  FILE* full = std::fopen("/dev/full", "w");
  ASSERT_NE(full, nullptr);
  LogWriter log(fileno(full));
  log.write("at once\n", LogLine::kMessage);
  ASSERT_TRUE(log.start());
  for (int i = 0; i < 100; ++i) log.write("later\n", LogLine::kMessage);
  EXPECT_TRUE(log.finish(kSoon));
}

}  // namespace
}  // namespace pairport
