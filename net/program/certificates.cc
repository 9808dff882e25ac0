// SPDX-License-Identifier: MIT
#include "net/program/certificates.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <pairport/secret_memory.h>

#include "net/base/file_descriptor.h"
#include "net/program/read_file.h"

namespace pairport {
namespace {

// Far larger than any chain.
constexpr std::size_t kMaxFile = 1024 * 1024;

// The text of a file, wiped on destruction: it may be a key.
class FileText {
 public:
  // `key`: the key of the configuration that names the file.
  explicit FileText(const char* key) noexcept : key_(key) {}
  ~FileText() { wipe(bytes_.data(), bytes_.size()); }
  FileText(const FileText&) = delete;
  FileText& operator=(const FileText&) = delete;

  std::string_view view() const noexcept { return bytes_; }

  Status read(const std::string& path, bool is_key) {
    // O_NONBLOCK: a FIFO must not block the thread.
    const FileDescriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0) return cannot_read(path);
    if (!S_ISREG(status.st_mode)) return bad(path, "not a regular file");
    if (is_key && (status.st_mode & S_IRWXO) != 0) {
      return bad(path, "everybody on this machine can use the key; take that away: chmod o= " + path);
    }
    if (static_cast<std::uint64_t>(status.st_size) > kMaxFile) return bad(path, "too long for a PEM file");
    if (!read_all(file.get(), bytes_, kMaxFile)) return cannot_read(path);
    return StatusCode::kOk;
  }

 private:
  Status bad(const std::string& path, const std::string& what) const {
    return {StatusCode::kBadConfiguration, std::string("[server] ") + key_ + ": " + path + ": " + what};
  }
  Status cannot_read(const std::string& path) const {
    const int error = errno;
    return bad(path,
               std::string("cannot be read: ") + std::strerror(error) +
                   (error == EACCES ? "; the user of the service has to be able to, for instance by its group" : ""));
  }

  const char* const key_;
  std::string bytes_;
};

struct Pair {
  FileText chain{"tls_cert"};
  FileText key{"tls_key"};
};

void mix(std::uint64_t& hash, std::uint64_t value) noexcept {
  // FNV-1a over whole numbers. It need not resist forgery: an attacker who could forge it can change the files anyway.
  hash = (hash ^ value) * 0x100000001b3;
}

}  // namespace

Result<std::shared_ptr<const TlsCredentials>> load_certificates(const TlsContext& context,
                                                                const std::vector<CertificateFiles>& files) {
  std::vector<Pair> texts(files.size());
  std::vector<TlsCertificate> views;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (Status status = texts[i].chain.read(files[i].certificate, false); !status.ok()) return status;
    if (Status status = texts[i].key.read(files[i].key, true); !status.ok()) return status;
    views.push_back({files[i].certificate, texts[i].chain.view(), texts[i].key.view()});
  }
  Result<std::shared_ptr<const TlsCredentials>> loaded = context.load(views);
  if (loaded.ok() || loaded.status().code() != StatusCode::kInvalidArgument) return loaded;
  return Status(StatusCode::kBadConfiguration, "[server] tls_cert: " + std::string(loaded.status().message()));
}

std::uint64_t fingerprint_of(const std::vector<CertificateFiles>& files) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const CertificateFiles& pair : files) {
    for (const std::string* path : {&pair.certificate, &pair.key}) {
      struct stat status {};
      if (stat(path->c_str(), &status) != 0) status = {};
      mix(hash, static_cast<std::uint64_t>(status.st_dev));
      mix(hash, static_cast<std::uint64_t>(status.st_ino));
      mix(hash, static_cast<std::uint64_t>(status.st_size));
      mix(hash, static_cast<std::uint64_t>(status.st_mtim.tv_sec));
      mix(hash, static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
      // The mode counts, so that a repaired mode of a key file is noticed.
      mix(hash, status.st_mode);
    }
  }
  return hash;
}

std::vector<std::string> folders_of(const std::vector<CertificateFiles>& files) {
  std::vector<std::string> folders;
  const auto add = [&](const std::filesystem::path& file) {
    std::string folder = file.parent_path().string();
    if (folder.empty()) folder = ".";
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) folders.push_back(std::move(folder));
  };
  for (const CertificateFiles& pair : files) {
    for (const std::string* path : {&pair.certificate, &pair.key}) {
      add(*path);
      std::error_code error;
      const std::filesystem::path real = std::filesystem::canonical(*path, error);
      if (!error) add(real);
    }
  }
  return folders;
}

std::int64_t days_left(const TlsCredentials& credentials, std::int64_t unix_seconds) noexcept {
  using std::chrono::seconds;
  return std::chrono::floor<std::chrono::days>(seconds(credentials.not_after() - unix_seconds)).count();
}

}  // namespace pairport
