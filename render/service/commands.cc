// SPDX-License-Identifier: MIT
// Rules for every command. User interfaces append options to its end, so the call of the script comes last. The script
// goes to a new private folder, so that no other user reads the credentials, and no file that another user has put into
// a shared folder runs. After a failed download no file is left to run, and a message names the cause.
//
// The POSIX commands fetch the packed script as a file and unpack it in a second step. A pipe would run a part of the
// script after an interrupted download. A curl without zlib (OpenWrt's) refuses --compressed. No command uses file name
// patterns: zsh ends the line when a pattern matches nothing.
#include "render/service/commands.h"

#include "render/scripts/platforms.h"
#include "render/scripts/quote.h"

namespace pairport {
namespace {

// The placeholder of the code: no command and no URL of the service holds a control character.
constexpr std::string_view kCode = "\x01";
constexpr std::string_view kQuotedCode = "\\u0001";

// The URL of a packed script for `os`. Its suffix names the platform, because the User-Agent does not.
std::string packed(std::string_view script_url, Os os) {
  return std::string(script_url).append(platform(os).packed_suffix);
}

std::string fetched(std::string_view fetch, std::string_view script_url) {
  return std::string("d=$(mktemp -d) && cd \"$d\" && ")
             .append(fetch)
             .append(" rport-installer.sh.gz ")
             .append(packed(script_url, Os::kLinux)) +
         " && gzip -d rport-installer.sh.gz";
}

// The branch after a failed download: removes the file, so that nothing is left to run. `tool` is the program that
// downloads; a shell reports 127 for a command that it does not find. The text has no colon, because the YAML of
// Ansible would read a colon in one line as a mapping.
std::string or_failure(std::string_view tool, std::string_view quote) {
  return std::string(" || { if [ $? = 127 ]; then echo ")
             .append(quote)
             .append("Download failed. This needs mktemp, ")
             .append(tool)
             .append(" and gzip.")
             .append(quote)
             .append("; else echo ")
             .append(quote)
             .append(
                 "Download failed. The pairing code is unknown or expired, or the pairing service cannot be reached.")
             .append(quote) +
         "; fi >&2; rm -f rport-installer.sh rport-installer.sh.gz; false; }";
}

// Two lines for one shell. The second line is only the call of the script: known tools extract it.
std::string posix_lines(std::string_view tool, std::string_view fetch, std::string_view script_url) {
  return fetched(fetch, script_url) + or_failure(tool, "'") + "\nsudo sh rport-installer.sh";
}

// One line for a separate shell (ssh, Ansible, docker exec). It has no single quotes, so that a user can put it between
// single quotes. It runs without sudo when there is no sudo, as in most containers.
std::string posix_line(std::string_view script_url) {
  return fetched("curl -fsSL -o", script_url) + or_failure("curl", "\"") +
         " && $(command -v sudo) sh rport-installer.sh";
}

// `fetch` is a command that writes rport-installer.ps1, or throws.
std::string windows_lines(const std::string& fetch) {
  return "Set-Location (New-Item -ItemType Directory -Path (Join-Path ([IO.Path]::GetTempPath()) "
         "([IO.Path]::GetRandomFileName()))).FullName\n" +
         fetch + "\npowershell -NoProfile -ExecutionPolicy Bypass -File .\\rport-installer.ps1";
}

std::string invoke_web_request(const std::string& script_url) {
  return "[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor "
         "[Net.SecurityProtocolType]::Tls12\n"
         "try { Invoke-WebRequest -UseBasicParsing -Uri '" +
         script_url +
         "' -OutFile rport-installer.ps1 } catch { Remove-Item -Force -ErrorAction SilentlyContinue "
         "rport-installer.ps1; throw }";
}

// The curl of Windows 10 and later, with its full name, because in Windows PowerShell `curl` is another command. Its
// User-Agent does not name Windows, so the suffix of the URL names it.
std::string curl_exe(const std::string& script_url) {
  return "curl.exe -fsSL -o rport-installer.ps1 '" + std::string(script_url).append(platform(Os::kWindows).suffix) +
         "'; if ($LASTEXITCODE -ne 0) { Remove-Item -Force -ErrorAction SilentlyContinue rport-installer.ps1; "
         "throw 'Download failed. The pairing code is unknown or expired, or the pairing service cannot be reached.' }";
}

// The commands with their names in an answer, each for the URL of a script.
struct Command {
  std::string_view name;
  std::string (*text)(const std::string& script_url);
};
constexpr Command kCommands[] = {
    {"linux", [](const std::string& url) { return posix_lines("curl", "curl -fsSL -o", url); }},
    {"windows", [](const std::string& url) { return windows_lines(invoke_web_request(url)); }},
    {"linux_oneline", [](const std::string& url) { return posix_line(url); }},
    {"linux_wget", [](const std::string& url) { return posix_lines("wget", "wget -O", url); }},
    {"windows_curl", [](const std::string& url) { return windows_lines(curl_exe(url)); }},
};

}  // namespace

Commands::Commands(std::string_view url) {
  const std::string script_url = std::string(url).append("/").append(kCode);
  std::string json;
  for (const Command& command : kCommands) {
    json.append(json.empty() ? "{\"" : ",\"").append(command.name).append("\":");
    const std::string text = command.text(script_url);
    std::string quoted(max_quoted(text.size()), '\0');
    json.append(quoted.data(), quote_json(text, quoted.data()));
  }
  json += '}';
  std::size_t begin = 0;
  for (std::size_t end; (end = json.find(kQuotedCode, begin)) != std::string::npos; begin = end + kQuotedCode.size()) {
    pieces_.push_back(json.substr(begin, end - begin));
  }
  pieces_.push_back(json.substr(begin));
}

void Commands::write(std::string_view code, Writer& out) const noexcept {
  out.text(pieces_.front());
  for (std::size_t i = 1; i < pieces_.size(); ++i) out.text(code).text(pieces_[i]);
}

}  // namespace pairport
