# SPDX-License-Identifier: MIT
"""Certificates, made by openssl."""

import os
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def kind_of_key(rsa):
    return ["-newkey", "rsa:2048"] if rsa else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def make_certificate(folder, name="server", *, hosts=("localhost",), rsa=False, days=90, passphrase=None):
    """Writes <name>.crt, self-signed, and <name>.key to `folder` and returns their paths."""
    certificate, key = os.path.join(folder, name + ".crt"), os.path.join(folder, name + ".key")
    names = ",".join([f"DNS:{host}" for host in hosts] + ["IP:127.0.0.1"])
    openssl("req", "-x509", *kind_of_key(rsa), "-keyout", key, "-out", certificate, "-days", str(days),
            "-subj", f"/CN={hosts[0]}", "-addext", f"subjectAltName={names}",
            *(["-passout", "pass:" + passphrase] if passphrase else ["-nodes"]))
    return certificate, key


def make_authority(folder):
    """A root and an intermediate authority below it: root.crt, middle.crt and their keys. Returns root.crt."""
    root, middle = os.path.join(folder, "root"), os.path.join(folder, "middle")
    openssl("req", "-x509", *kind_of_key(False), "-nodes", "-keyout", root + ".key", "-out", root + ".crt", "-days", "180",
            "-subj", "/CN=root of a test", "-addext", "keyUsage = critical, keyCertSign, cRLSign")
    openssl("req", *kind_of_key(False), "-nodes", "-keyout", middle + ".key", "-out", middle + ".csr",
            "-subj", "/CN=middle of a test")
    sign(middle, root, "basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\n")
    return root + ".crt"


def make_chain(folder, name="server", *, hosts=("localhost",), rsa=False):
    """<name>.crt, issued by the intermediate authority of make_authority(), whose certificate follows in the file."""
    path = os.path.join(folder, name)
    openssl("req", *kind_of_key(rsa), "-nodes", "-keyout", path + ".key", "-out", path + ".csr", "-subj", f"/CN={hosts[0]}")
    names = ", ".join(f"DNS:{host}" for host in hosts)
    sign(path, os.path.join(folder, "middle"), "basicConstraints = critical, CA:FALSE\nextendedKeyUsage = serverAuth\n"
                                               f"keyUsage = critical, digitalSignature\nsubjectAltName = {names}, IP:127.0.0.1\n")
    with open(path + ".crt", "a", encoding="ascii") as chain, open(os.path.join(folder, "middle.crt"), encoding="ascii") as middle:
        chain.write(middle.read())
    return path + ".crt", path + ".key"


def sign(path, issuer, extensions):
    with open(path + ".ext", "w", encoding="ascii") as file:
        file.write(extensions)
    openssl("x509", "-req", "-in", path + ".csr", "-CA", issuer + ".crt", "-CAkey", issuer + ".key", "-CAcreateserial",
            "-days", "90", "-extfile", path + ".ext", "-out", path + ".crt")


def make_dated_certificate(folder, name, *, not_before, not_after, hosts=("localhost",)):
    """A self-signed one that is valid between two times, each written YYYYMMDDHHMMSSZ."""
    path = os.path.join(folder, name)
    openssl("req", *kind_of_key(False), "-nodes", "-keyout", path + ".key", "-out", path + ".csr", "-subj", f"/CN={hosts[0]}")
    database = os.path.join(folder, name + ".db")
    os.mkdir(database)
    with open(os.path.join(database, "index"), "w", encoding="ascii"):
        pass
    with open(os.path.join(database, "conf"), "w", encoding="ascii") as file:
        file.write(f"[ca]\ndefault_ca = d\n[d]\ndatabase = {database}/index\nnew_certs_dir = {database}\nrand_serial = yes\n"
                   "default_md = sha256\npolicy = p\nx509_extensions = x\n[p]\ncommonName = supplied\n"
                   f"[x]\nsubjectAltName = {', '.join('DNS:' + host for host in hosts)}\n")
    openssl("ca", "-batch", "-selfsign", "-config", os.path.join(database, "conf"), "-keyfile", path + ".key", "-in", path + ".csr",
            "-out", path + ".crt", "-notext", "-startdate", not_before, "-enddate", not_after)
    return path + ".crt", path + ".key"
