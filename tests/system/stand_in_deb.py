# SPDX-License-Identifier: MIT
"""A stand-in for the Debian package of the client, and for the signed repository that it comes from.

The package does what the real one does: program, configuration as a conffile, a systemd unit that is enabled and not started,
user, folders. It leaves user, data and logs behind when it is removed, so that the scripts have to take them away.
"""

import hashlib
import os
import pathlib
import subprocess
import tempfile

from support import EXAMPLE, client

_UNIT = """[Unit]
Description=Create reverse tunnels with ease.
[Service]
ExecStart=/usr/bin/rport -c /etc/rport/rport.conf
User=rport
Restart=always
RestartSec=120
[Install]
WantedBy=multi-user.target
"""
_POSTINST = """#!/bin/sh
set -e
id rport >/dev/null 2>&1 || useradd -r -U -d /var/lib/rport -M -s /bin/false rport
for folder in /var/lib/rport /var/log/rport; do
  [ -d $folder ] || mkdir $folder
  chown rport:rport $folder
done
# Unguarded in the real package, 0.9.14: without systemd it cannot be configured.
systemctl daemon-reload
systemctl enable rport
"""
_PRERM = """#!/bin/sh
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl stop rport
  systemctl disable rport
fi
exit 0
"""


def deb(version="0.9.14", play="", example=None, broken=""):
    """The bytes of rport_{version}_amd64.deb. `broken` is a command that its postinst starts with."""
    with tempfile.TemporaryDirectory() as name:
        top = pathlib.Path(name) / "root"
        for path, content, mode in (("DEBIAN/control", f"Package: rport\nVersion: {version}\nArchitecture: amd64\n"
                                     "Maintainer: nobody <nobody@localhost>\nDescription: stand-in\n", 0o644),
                                    ("DEBIAN/conffiles", "/etc/rport/rport.conf\n", 0o644),
                                    ("DEBIAN/postinst", _POSTINST.replace("set -e\n", f"set -e\n{broken}\n"), 0o755),
                                    ("DEBIAN/prerm", _PRERM, 0o755),
                                    ("usr/bin/rport", client(version, play), 0o755),
                                    ("etc/rport/rport.conf", example or EXAMPLE.read_bytes(), 0o640),
                                    ("lib/systemd/system/rport.service", _UNIT, 0o644)):
            file = top / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
            file.chmod(mode)
        for folder, _, _ in os.walk(top):
            os.chmod(folder, 0o755)
        made = subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(top), f"{name}/rport.deb"],
                              capture_output=True, text=True)
        if made.returncode:
            raise RuntimeError("dpkg-deb: " + made.stderr)
        return (pathlib.Path(name) / "rport.deb").read_bytes()


class Repository:
    """A key of its own, and what a web server serves: path -> bytes for `deb_repo` at /deb and `repo_keys` at /keys."""

    def __init__(self, codename):
        self.codename = codename
        # The socket of gpg's agent lies in this folder, so that its name must be short.
        self.home = tempfile.TemporaryDirectory(prefix="pp-gpg-", dir="/tmp")
        self._gpg("--passphrase", "", "--quick-generate-key", "Test <test@localhost>", "rsa2048", "sign", "1d")
        self.key = self._gpg("--export")

    def close(self):
        subprocess.run(["gpgconf", "--homedir", self.home.name, "--kill", "all"], check=False)
        self.home.cleanup()

    def _gpg(self, *arguments, stdin=b""):
        done = subprocess.run(["gpg", "--homedir", self.home.name, "--batch", "--quiet", "--pinentry-mode", "loopback", *arguments],
                              input=stdin, capture_output=True)
        if done.returncode:
            raise RuntimeError("gpg: " + done.stderr.decode(errors="replace"))
        return done.stdout

    def files(self, packages):
        """`packages`: component (stable, unstable) -> version -> bytes of a deb."""
        found, sums = {"/keys/dearmor.gpg": self.key}, ""
        for component, versions in packages.items():
            index = ""
            for version, content in versions.items():
                name = f"pool/{component}/rport_{version}_amd64.deb"
                found["/deb/" + name] = content
                index += (f"Package: rport\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody <nobody@localhost>\n"
                          f"Filename: {name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
                          "Description: stand-in\n\n")
            path = f"{component}/binary-amd64/Packages"
            found[f"/deb/dists/{self.codename}/{path}"] = index.encode()
            sums += f" {hashlib.sha256(index.encode()).hexdigest()} {len(index)} {path}\n"
        release = (f"Origin: test\nSuite: {self.codename}\nCodename: {self.codename}\nArchitectures: amd64\n"
                   f"Components: {' '.join(packages)}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{sums}").encode()
        found[f"/deb/dists/{self.codename}/Release"] = release
        found[f"/deb/dists/{self.codename}/Release.gpg"] = self._gpg("--armor", "--detach-sign", stdin=release)
        found[f"/deb/dists/{self.codename}/InRelease"] = self._gpg("--clear-sign", stdin=release)
        return found
