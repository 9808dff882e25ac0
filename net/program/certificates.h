// SPDX-License-Identifier: MIT
// Certificates in files, where others replace them while the service runs.
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

// Reads and checks them. kBadConfiguration: the message names the file, the cause and the remedy; among them a key that
// everybody on the machine can read. Reads files, so it may block. Any thread. May throw std::bad_alloc.
Result<std::shared_ptr<const TlsCredentials>> load_certificates(const TlsContext& context,
                                                                const std::vector<CertificateFiles>& files);

// A number that changes when one of the files is replaced or written to, also behind a symbolic link; a missing file
// has one, too. May block. Any thread.
std::uint64_t fingerprint_of(const std::vector<CertificateFiles>& files) noexcept;

// The folders that hold the files and those that their symbolic links lead to now, each once: where a renewed
// certificate will be.
std::vector<std::string> folders_of(const std::vector<CertificateFiles>& files);

// Whole days until the first certificate expires, negative when one has.
std::int64_t days_left(const TlsCredentials& credentials, std::int64_t unix_seconds) noexcept;

}  // namespace pairport

#endif  // PAIRPORT_NET_CERTIFICATES_H_
