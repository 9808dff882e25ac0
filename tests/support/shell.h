// SPDX-License-Identifier: MIT
// Runs small harmless scripts with the real /bin/sh.
#ifndef PAIRPORT_TESTS_SUPPORT_SHELL_H_
#define PAIRPORT_TESTS_SUPPORT_SHELL_H_

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace pairport::testing {

struct ShellResult {
  int exit_status = -1;
  std::string out;
  std::string err;
};

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline ShellResult run_shell(std::string_view script) {
  std::string folder = ::testing::TempDir() + "pairport-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return {};
  const std::string script_path = folder + "/script";
  const std::string err_path = folder + "/err";
  std::ofstream(script_path, std::ios::binary) << script;
  ShellResult result;
  FILE* pipe = popen(("exec /bin/sh " + script_path + " 2>" + err_path).c_str(), "r");
  if (pipe == nullptr) return result;
  std::array<char, 65536> buffer;
  std::size_t count = 0;
  while ((count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0) result.out.append(buffer.data(), count);
  const int status = pclose(pipe);
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result.err = read_file(err_path);
  std::remove(script_path.c_str());
  std::remove(err_path.c_str());
  rmdir(folder.c_str());
  return result;
}

}  // namespace pairport::testing

#endif  // PAIRPORT_TESTS_SUPPORT_SHELL_H_
