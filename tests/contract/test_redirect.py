# SPDX-License-Identifier: MIT
"""HTTPS and plain HTTP next to each other: what plain addresses do, Strict-Transport-Security, challenges, and plain
HTTP where HTTPS is spoken."""

import http.client
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

import runner
from certificates import make_certificate
from free_ports import free_ports
from pairport_process import Pairport

GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24",
        "client_id": "client1", "password": "swordfish-in-clear"}
DEPOSIT = json.dumps(GOOD).encode()
TOKEN = "/.well-known/acme-challenge/evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


class Redirect(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pairport-redirect-")
        cls.addClassCleanup(folder.cleanup)
        cls.certificate, cls.key = make_certificate(folder.name)
        challenges = pathlib.Path(folder.name, "www", *pathlib.Path(TOKEN).parts[1:-1])
        challenges.mkdir(parents=True)
        (challenges / pathlib.Path(TOKEN).name).write_text("proof")
        (cls.https,) = free_ports(1)  # the url has to be known before
        cls.url = f"https://localhost:{cls.https}"
        cls.service = Pairport(f"""
[server]
  address = ["https://127.0.0.1:{cls.https}", "http://0.0.0.0:0", "http://127.0.0.1:0", "unix:{folder.name}/s"]
  url = "{cls.url}"
  tls_cert = "{cls.certificate}"
  tls_key = "{cls.key}"
  hsts = "180d"
  acme_webroot = "{folder.name}/www"
[log]
  access = "text"
""")
        cls.service.__enter__()
        cls.addClassCleanup(cls.service.__exit__)
        _, cls.redirecting, cls.local = [int(match.group(1)) if (match := re.search(r":(\d+)$", address)) else None
                                         for address in cls.service.addresses[:3]]

    def test_it_can_be_switched_off(self):
        with Pairport(f'[server]\n  address = ["https://127.0.0.1:0", "http://0.0.0.0:0"]\n  url = "{self.url}"\n  redirect_to_https = false\n'
                      f'  tls_cert = "{self.certificate}"\n  tls_key = "{self.key}"\n') as service:
            plain = int(service.addresses[1].rpartition(":")[2])
            self.assertEqual(self.ask(plain, "GET", "/update")[0], 200)

    def ask(self, port, method, path, body=None, headers=None):
        if port == self.https:
            connection = http.client.HTTPSConnection("localhost", port, timeout=30, context=ssl.create_default_context(cafile=self.certificate))
        else:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def deposit(self, port):
        status, _, body = self.ask(port, "POST", "/", DEPOSIT, {"Content-Type": "application/json"})
        self.assertEqual(status, 200, body)
        code = json.loads(body)["pairing_code"]
        self.service.secrets.add(code)
        return code

    def test_the_log_says_which_address_redirects(self):
        log = self.service.log.decode()
        self.assertIn(f"listening on http://0.0.0.0:{self.redirecting} (clients are sent to {self.url})\n", log)
        self.assertIn(f"listening on http://127.0.0.1:{self.local}\n", log)
        self.assertIn(f"listening on https://127.0.0.1:{self.https}\n", log)

    def test_a_client_that_follows_gets_the_installer(self):
        code = self.deposit(self.https)
        status, headers, body = self.ask(self.redirecting, "GET", f"/{code}?os=linux", headers={"Host": "evil.example"})
        self.assertEqual((status, headers["Location"]), (308, f"{self.url}/{code}?os=linux"))
        self.assertNotIn(GOOD["password"].encode(), body)
        if shutil.which("curl"):
            command = ["curl", "-fsSL", "--noproxy", "*", "--cacert", self.certificate, f"http://127.0.0.1:{self.redirecting}/{code}"]
            done = subprocess.run(command, capture_output=True, check=True, timeout=60)
            self.assertIn(GOOD["password"].encode(), done.stdout)
        # Who does not follow runs a script that fails.
        done = subprocess.run(["sh"], input=body, capture_output=True, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertIn(b"is not encrypted", done.stderr)

    def test_a_deposit_in_clear_is_refused_and_not_stored(self):
        for headers in ({"Content-Type": "application/json"}, {"Content-Type": "text/plain"}):
            status, headers, body = self.ask(self.redirecting, "POST", "/", DEPOSIT, headers)
            self.assertEqual(status, 403)
            self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
            self.assertIsNone(headers["Location"])
            self.assertIn(b"consider its credentials exposed", body)
            self.assertIn(self.url.encode(), body)

    def test_a_body_that_waits_for_permission_is_never_sent(self):
        with socket.create_connection(("127.0.0.1", self.redirecting), timeout=30) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                           b"Expect: 100-continue\r\n\r\n" % len(DEPOSIT))
            answer = b""
            while data := client.recv(65536):
                answer += data
        self.assertTrue(answer.startswith(b"HTTP/1.1 403 "), answer)
        self.assertNotIn(b"100 Continue", answer)

    def test_a_browser_is_kept_from_sending_credentials(self):
        status, headers, _ = self.ask(self.redirecting, "OPTIONS", "/", headers={
            "Origin": "http://ui.example.com", "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"})
        self.assertEqual(status, 403)
        self.assertIsNone(headers["Access-Control-Allow-Methods"])

    def test_addresses_of_this_machine_serve(self):
        code = self.deposit(self.local)
        self.assertIn(GOOD["password"].encode(), self.ask(self.local, "GET", f"/{code}")[2])
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.service.addresses[3].removeprefix("unix:"))
            client.sendall(f"GET /{code} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200 "))

    def test_only_encrypted_answers_carry_strict_transport_security(self):
        for method, path in (("GET", "/update"), ("GET", "/1234567"), ("OPTIONS", "/"), ("BREW", "/")):
            self.assertEqual(self.ask(self.https, method, path)[1]["Strict-Transport-Security"], "max-age=15552000", path)
            for port in (self.redirecting, self.local):
                self.assertIsNone(self.ask(port, method, path)[1]["Strict-Transport-Security"])

    def test_challenges_are_served_on_every_address(self):
        for port in (self.https, self.redirecting, self.local):
            status, _, body = self.ask(port, "GET", TOKEN)
            self.assertEqual((status, body), (200, b"proof"))
        self.assertEqual(self.ask(self.redirecting, "GET", TOKEN + "x")[0], 404, "no redirect, which would ask again")

    def test_plain_http_on_the_https_port_is_told_so(self):
        for request in (b"GET /update HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + DEPOSIT):
            with socket.create_connection(("127.0.0.1", self.https), timeout=30) as client:
                client.sendall(request)
                answer = b""
                while data := client.recv(65536):
                    answer += data
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer)
            self.assertIn(b"\r\nContent-Type: text/plain", answer)
            self.assertTrue(answer.endswith(f"this port speaks HTTPS; use {self.url}\n".encode()), answer)
            self.assertNotIn(b"Strict-Transport-Security", answer)


if __name__ == "__main__":
    runner.run()
