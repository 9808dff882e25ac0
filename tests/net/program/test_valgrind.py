# SPDX-License-Identifier: MIT
"""A short life of the real program under valgrind: no error, no leak."""

import os
import re
import shutil
import socket
import unittest

import runner
from pairport_process import Pairport

GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": ":".join(["2a"] * 16), "client_id": "client1", "password": "it's"}


@unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
@unittest.skipIf(os.environ.get("PAIRPORT_SANITIZE"), "valgrind cannot run a sanitizer build")
class Valgrind(unittest.TestCase):
    def test_a_short_run_is_clean(self):
        wrapper = ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=all",
                   "--errors-for-leak-kinds=definite,possible,indirect"]
        # valgrind itself makes system calls and writes files that the sandbox forbids.
        with Pairport('[pairing]\n  ttl = "1s"\n[security]\n  sandbox = false\n', wrapper=wrapper) as service:
            path = "/" + service.deposit(**GOOD)["pairing_code"]
            for target in (path, path + ".ps1", "/update", "/uninstall", "/1234567", "/a/b", "/%"):
                service.get(target)
                service.request("HEAD", target)
            for kind, body in [("application/json", b"{"), ("application/x-www-form-urlencoded", b"a=%41&password=x"),
                               ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nx\r\n--b--'),
                               ("text/plain", b"x"), ("application/json", b"x" * 20000)]:
                service.request("POST", "/", {"Content-Type": kind}, body)
            with socket.create_connection(("127.0.0.1", service.port)) as client:
                client.sendall(b"GET /update HTTP/1.1\r\nHost: x\r\n\r\n" * 30 + b"nonsense\r\n\r\n")
            with socket.create_connection(("127.0.0.1", service.port)) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le")
                self.assertEqual(service.stop(60), 0, service.log.decode(errors="replace"))
        # valgrind does not know memfd_secret(2) and says so; anything else is an error.
        reports = [line for line in service.log.decode(errors="replace").splitlines() if re.match(r"==\d+==", line)]
        self.assertEqual(reports, [], service.log.decode(errors="replace"))


if __name__ == "__main__":
    runner.run()
