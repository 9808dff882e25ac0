// SPDX-License-Identifier: MIT
#include <pairport/status.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace pairport {
namespace {

TEST(Status, CodesAreNeverRenumbered) {
  EXPECT_EQ(static_cast<int>(StatusCode::kOk), 0);
  EXPECT_EQ(static_cast<int>(StatusCode::kOutOfMemory), -1);
  EXPECT_EQ(static_cast<int>(StatusCode::kStoreFull), -2);
  EXPECT_EQ(static_cast<int>(StatusCode::kAlreadyExists), -3);
  EXPECT_EQ(static_cast<int>(StatusCode::kRandomFailed), -4);
  EXPECT_EQ(static_cast<int>(StatusCode::kInvalidArgument), -5);
  EXPECT_EQ(static_cast<int>(StatusCode::kBadTemplate), -6);
  EXPECT_EQ(static_cast<int>(StatusCode::kBadConfiguration), -7);
  EXPECT_EQ(static_cast<int>(StatusCode::kMemoryNotLocked), -8);
  EXPECT_EQ(static_cast<int>(StatusCode::kSystem), -9);
}

TEST(Status, TheTableHasOneTextForEachCode) {
  std::set<int> values;
  std::set<std::string_view> texts;
  std::size_t rows = 0;
#define PAIRPORT_TEST_ROW(name, c_name, value, text)         \
  EXPECT_LE(value, 0);                                       \
  EXPECT_TRUE(values.insert(value).second) << #name;         \
  EXPECT_TRUE(texts.insert(text).second) << #name;           \
  EXPECT_EQ(to_string(StatusCode::name), std::string(text)); \
  ++rows;
  PAIRPORT_STATUS_TABLE(PAIRPORT_TEST_ROW)
#undef PAIRPORT_TEST_ROW
  EXPECT_EQ(values.size(), rows);
  EXPECT_EQ(to_string(static_cast<StatusCode>(-12345)), "unknown status");
}

TEST(Status, SaysItsDetailOrElseTheTablesText) {
  EXPECT_TRUE(Status().ok());
  EXPECT_EQ(Status().message(), "success");
  EXPECT_FALSE(Status(StatusCode::kStoreFull).ok());
  EXPECT_EQ(Status(StatusCode::kStoreFull).message(), to_string(StatusCode::kStoreFull));
  const Status detailed(StatusCode::kSystem, "bind: address in use");
  EXPECT_EQ(detailed.code(), StatusCode::kSystem);
  EXPECT_EQ(detailed.message(), "bind: address in use");
}

TEST(Result, HoldsAValueOrAStatus) {
  const Result<int> seven(7);
  EXPECT_TRUE(seven.ok());
  EXPECT_EQ(seven.value(), 7);
  EXPECT_TRUE(seven.status().ok());
  const Result<int> none(StatusCode::kRandomFailed);
  EXPECT_FALSE(none.ok());
  EXPECT_EQ(none.status().code(), StatusCode::kRandomFailed);
}

TEST(Result, HandsOverWhatCannotBeCopied) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(42));
  ASSERT_TRUE(result.ok());
  const std::unique_ptr<int> taken = std::move(result).value();
  EXPECT_EQ(*taken, 42);
}

TEST(Result, ValueMayBeChangedInPlace) {
  Result<std::vector<int>> result(std::vector<int>{1});
  result.value().push_back(2);
  EXPECT_EQ(result.value().size(), 2U);
}

}  // namespace
}  // namespace pairport
