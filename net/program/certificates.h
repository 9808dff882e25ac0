// SPDX-License-Identifier: MIT
// Certificates in files, which other programs replace while the service runs.
#ifndef PAIRPORT_NET_CERTIFICATES_H_
#define PAIRPORT_NET_CERTIFICATES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <pairport/status.h>
#include <pairport/tls.h>

namespace pairport {

// Paths of PEM files: a certificate with its chain, and its private key.
struct CertificateFiles {
  std::string certificate;
  std::string key;
};

// Reads and checks the files. kBadConfiguration: the message names the file, the cause and the remedy; one cause is a
// key that every user of the machine can read. May block. Any thread. May throw std::bad_alloc.
Result<std::shared_ptr<const TlsCredentials>> load_certificates(const TlsContext& context,
                                                                const std::vector<CertificateFiles>& files);

// A number that changes when one of the files is replaced or written to, also behind a symbolic link. A missing file is
// allowed. May block. Any thread.
std::uint64_t fingerprint_of(const std::vector<CertificateFiles>& files) noexcept;

// The folders of the files, and the folders to which their symbolic links lead now, each once. Renewed certificates
// appear in these folders.
std::vector<std::string> folders_of(const std::vector<CertificateFiles>& files);

// Whole days until the first certificate expires; negative when one has expired.
std::int64_t days_left(const TlsCredentials& credentials, std::int64_t unix_seconds) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_CERTIFICATES_H_
