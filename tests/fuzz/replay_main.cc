// SPDX-License-Identifier: MIT
// Runs a fuzzer over files, for builds without libFuzzer: every file of the folders, and every file, that is named.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

// Said ahead, because nothing runs after a crash that could say it; overwritten by the next one.
void announce(const std::filesystem::path& path) {
  const bool to_terminal = isatty(STDERR_FILENO) != 0;
  std::cerr << (to_terminal ? "\r" : "") << path.string() << (to_terminal ? "\x1b[K" : "\n") << std::flush;
}

void replay(const std::filesystem::path& path) {
  announce(path);
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  if (!file.good() && !file.eof()) {
    std::cerr << "cannot be read: " << path.string() << "\n";
    std::exit(1);
  }
  // Exactly as large as the input, so that a sanitizer sees every byte read beyond it.
  const std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

}  // namespace

int main(int count, char** arguments) try {
  std::size_t files = 0;
  for (int i = 1; i < count; ++i) {
    if (!std::filesystem::is_directory(arguments[i])) {
      replay(arguments[i]);
      ++files;
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(arguments[i])) {
      replay(entry.path());
      ++files;
    }
  }
  std::cerr << "\n" << files << " files\n";
  // A folder that was moved would else pass for ever.
  return files == 0 ? 1 : 0;
} catch (const std::exception& error) {
  std::cerr << "\nerror: " << error.what() << "\n";
  return 1;
}
