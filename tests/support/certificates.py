# SPDX-License-Identifier: MIT
"""Self-signed certificates, made by openssl."""

import os
import subprocess


def make_certificate(folder, name="server", *, hosts=("localhost",), rsa=False, days=90, passphrase=None):
    """Writes <name>.crt and <name>.key to `folder` and returns their paths."""
    certificate, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    kind = ["-newkey", "rsa:2048"] if rsa else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    names = ",".join([f"DNS:{host}" for host in hosts] + ["IP:127.0.0.1"])
    subprocess.run(
        ["openssl", "req", "-x509", *kind, "-keyout", key, "-out", certificate, "-days", str(days),
         "-subj", f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}",
         *(["-passout", "pass:" + passphrase] if passphrase else ["-nodes"])],
        check=True, capture_output=True)
    return certificate, key
