// SPDX-License-Identifier: MIT
#include "net/program/read_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "net/base/file_descriptor.h"

namespace pairport {
namespace {

class ReadFileTest : public ::testing::Test {
 protected:
  ~ReadFileTest() override { unlink(path_.c_str()); }

  void write(const std::string& text) {
    const FileDescriptor file(open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
    ASSERT_EQ(::write(file.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

  std::string path_ = [] {
    std::string path = ::testing::TempDir() + "read_file_XXXXXX";
    const FileDescriptor made(mkstemp(path.data()));
    return path;
  }();
};

TEST_F(ReadFileTest, AFileIsReadWholeWhateverItsSize) {
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 4097U, 1000000U}) {
    std::string text(size, 'x');
    if (size != 0) text.back() = '\0';
    write(text);
    EXPECT_EQ(read_file(path_), text) << size;
  }
}

TEST_F(ReadFileTest, AFileWithoutASizeIsReadToItsEnd) {
  // Its size is said to be 0.
  const auto text = read_file("/proc/self/maps");
  ASSERT_TRUE(text);
  EXPECT_GT(text->size(), 1000U);
  EXPECT_TRUE(text->ends_with('\n'));
  EXPECT_EQ(read_file("/dev/null"), "");
}

TEST_F(ReadFileTest, APipeIsReadToItsEnd) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const FileDescriptor out(ends[0]);
  const std::string text(10'000, 'y');
  {
    const FileDescriptor in(ends[1]);
    ASSERT_EQ(::write(in.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  EXPECT_EQ(read_file("/dev/fd/" + std::to_string(ends[0])), text);
}

TEST_F(ReadFileTest, NoMoreIsReadThanIsWanted) {
  write("0123456789");
  const FileDescriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  ASSERT_TRUE(read_all(file.get(), text, 4));
  EXPECT_EQ(text, "0123");
  ASSERT_TRUE(read_all(file.get(), text));
  EXPECT_EQ(text, "456789");
}

TEST_F(ReadFileTest, ARegularFileTakesOneAllocation) {
  write(std::string(20'000, 'z'));
  const FileDescriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  text.reserve(20'001);
  const char* const memory = text.data();
  ASSERT_TRUE(read_all(file.get(), text));
  EXPECT_EQ(text.data(), memory) << "a text that had grown would have left a copy behind";
}

TEST_F(ReadFileTest, ErrnoSaysWhyThereIsNoText) {
  EXPECT_FALSE(read_file(path_ + ".missing"));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_FALSE(read_file("/"));
  EXPECT_EQ(errno, EISDIR);
  EXPECT_FALSE(read_file(path_ + "/below"));
  EXPECT_EQ(errno, ENOTDIR);
}

}  // namespace
}  // namespace pairport
