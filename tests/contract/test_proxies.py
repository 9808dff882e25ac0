# SPDX-License-Identifier: MIT
"""nginx and Caddy in front of the service, with the configurations of packaging/proxy: only names, ports and paths are
replaced."""

import contextlib
import gzip
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import runner
from free_ports import free_ports
from pairport_process import ROOT, Pairport

NAME = "pairing.example.com"
GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24",
        "client_id": "client1", "password": "swordfish-behind-a-proxy"}
JSON = {"Content-Type": "application/json"}


def substitute(text, *pairs):
    for pattern, replacement in pairs:
        text, count = re.subn(pattern, replacement, text)
        assert count, f"{pattern} is not in the configuration any more"
    return text


class OnUnixSocket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def behind_a_proxy(path, more=""):
    return Pairport(f'[server]\n  address = "unix:{path}"\n  url = "https://{NAME}"\n  {more}\n'
                    "[limits]\n  miss_burst = 5\n  misses_per_second = 0.001\n  deposit_burst = 0\n")


class UnixPeers(unittest.TestCase):
    """Whose limits apply on a Unix socket, where a peer has no address."""

    def misses(self, service, addresses):
        statuses = []
        for address in addresses:
            connection = OnUnixSocket(service.address.removeprefix("unix:"))
            with contextlib.closing(connection):
                connection.request("GET", "/guess", headers={"X-Forwarded-For": address} if address else {})
                statuses.append(connection.getresponse().status)
        return statuses

    def test_the_header_is_believed_when_unix_is_a_trusted_proxy(self):
        with tempfile.TemporaryDirectory() as folder, behind_a_proxy(f"{folder}/s", 'trusted_proxies = ["unix"]') as service:
            self.assertEqual(self.misses(service, ["192.0.2.1"] * 6), [404] * 5 + [429])
            self.assertEqual(self.misses(service, ["192.0.2.2", "2001:db8::1", None]), [404] * 3)
            # The proxy appends; what stands before is the client's word.
            self.assertEqual(self.misses(service, ["192.0.2.9, 192.0.2.1", "192.0.2.1, 192.0.2.9"]), [429, 404])

    def test_else_all_of_them_are_one_client(self):
        with tempfile.TemporaryDirectory() as folder, behind_a_proxy(f"{folder}/s", 'trusted_proxies = ["127.0.0.1"]') as service:
            self.assertEqual(self.misses(service, [f"192.0.2.{i}" for i in range(6)] + [None]), [404] * 5 + [429] * 2)


class ProxyTest:
    """What every proxy has to do. Subclasses start it."""

    program = None

    @classmethod
    def setUpClass(cls):
        if shutil.which(cls.program) is None:
            raise unittest.SkipTest(f"{cls.program} is not installed")
        if shutil.which("openssl") is None:
            raise unittest.SkipTest("openssl is not installed")
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pairport-proxy-")))
        cls.folder.chmod(0o755)
        cls.socket = cls.folder / "s"
        cls.certificate, cls.key = cls.folder / "cert.pem", cls.folder / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", cls.key, "-out", cls.certificate],
                       check=True, capture_output=True)
        cls.service = cls.pairport().__enter__()
        stack.callback(lambda: cls.service.__exit__())  # of the one that is there then
        cls.https, cls.http = free_ports(2)
        log = stack.enter_context(open(cls.folder / "proxy.log", "wb"))
        process = subprocess.Popen(cls.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   env={**os.environ, "HOME": str(cls.folder)}, cwd=cls.folder)
        cls.process = process
        stack.callback(cls.stop, process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise AssertionError(f"{cls.program} did not start:\n" + (cls.folder / "proxy.log").read_text())
            with contextlib.suppress(OSError):
                for port in (cls.https, cls.http):
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                return
            time.sleep(0.05)  # there is nothing to wait for but the port
        raise AssertionError(f"{cls.program} does not listen")

    @classmethod
    def pairport(cls):
        return behind_a_proxy(cls.socket, 'trusted_proxies = ["unix"]')

    @staticmethod
    def stop(process):
        process.send_signal(signal.SIGTERM)
        process.wait(60)

    def connect(self, source="127.0.0.1", receive_buffer=None):
        context = ssl.create_default_context(cafile=self.certificate)
        raw = socket.socket()
        if receive_buffer:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        raw.settimeout(30)
        raw.bind((source, 0))
        raw.connect(("127.0.0.1", self.https))
        connection = http.client.HTTPSConnection(NAME, self.https, context=context, timeout=30)
        connection.sock = context.wrap_socket(raw, server_hostname=NAME)
        self.addCleanup(connection.close)
        return connection

    def ask(self, method, path, headers=None, body=None, connection=None, source="127.0.0.1"):
        """`body` may be an iterator: then it goes in chunks."""
        connection = connection or self.connect(source)
        connection.request(method, path, body=body, headers={"User-Agent": "curl/7.88.1", **(headers or {})}, encode_chunked=True)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def directly(self, path, headers=None):
        connection = OnUnixSocket(str(self.socket))
        try:
            return self.ask("GET", path, headers, connection=connection)
        finally:
            connection.close()

    def ask_plainly(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        try:
            connection.request(method, path, body=body, headers={"Host": NAME})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def deposit(self):
        status, headers, body = self.ask("POST", "/", JSON, json.dumps(GOOD).encode())
        self.assertEqual(status, 200, body)
        self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        answer = json.loads(body)
        self.service.secrets.add(answer["pairing_code"])
        self.assertIn(f"https://{NAME}/{answer['pairing_code']}", answer["installers"]["linux"])
        return answer["pairing_code"]

    def test_installers_are_those_of_the_service(self):
        code = self.deposit()
        connection = self.connect()
        for path in (f"/{code}", f"/{code}.ps1", "/update", "/uninstall.ps1", f"/{code}?os=windows"):
            for headers in ({}, {"Accept-Encoding": "gzip"}):
                status, got, body = self.ask("GET", path, headers, connection=connection)
                expected_status, expected, expected_body = self.directly(path, headers)
                self.assertEqual((status, body), (expected_status, expected_body), path)
                self.assertEqual(status, 200)
                for name in ("Content-Type", "Content-Length", "Content-Disposition", "Content-Encoding", "Cache-Control", "ETag", "Vary",
                             "X-Content-Type-Options", "Referrer-Policy"):
                    self.assertEqual(got[name], expected[name], f"{name} of {path}")
                if headers:
                    self.assertNotEqual(gzip.decompress(body), b"")
        self.assertIn(GOOD["password"].encode(), self.ask("GET", f"/{code}")[2])

    def test_methods_errors_and_conditions(self):
        self.assertEqual(self.ask("OPTIONS", "/")[0], 204)
        status, headers, body = self.ask("HEAD", "/update")
        self.assertEqual((status, body), (200, b""))
        etag = headers["ETag"]
        self.assertEqual(self.ask("GET", "/update", {"If-None-Match": etag})[0], 304)
        status, _, body = self.ask("POST", "/", JSON, b"{}")
        self.assertEqual(status, 400)
        self.assertTrue(body.startswith(b"input validation failed: "), body)
        status, _, body = self.ask("POST", "/", JSON, b"x" * 20_000)
        self.assertEqual((status, body), (413, b"the body is larger than 16384 bytes\n"), "the service's own words")
        status, _, body = self.ask("POST", "/", {**JSON, "Transfer-Encoding": "chunked"},
                                   iter([json.dumps(GOOD).encode()[:40], json.dumps(GOOD).encode()[40:]]))
        self.assertEqual(status, 200, body)
        self.service.secrets.add(json.loads(body)["pairing_code"])

    def test_limits_apply_to_the_client_and_not_to_what_it_says(self):
        statuses = [self.ask("GET", f"/guess{i}", {"X-Forwarded-For": f"192.0.2.{i}"}, source="127.0.0.2")[0] for i in range(8)]
        self.assertEqual(statuses, [404] * 5 + [429] * 3)
        self.assertEqual(self.ask("GET", "/guess", {"X-Forwarded-For": "127.0.0.2"}, source="127.0.0.3")[0], 404)

    def test_plain_requests_are_redirected_and_plain_deposits_refused(self):
        status, headers, _ = self.ask_plainly("GET", "/update?os=linux")
        self.assertEqual((status, headers["Location"]), (308, f"https://{NAME}/update?os=linux"))
        status, _, body = self.ask_plainly("POST", "/", json.dumps(GOOD).encode())
        self.assertEqual(status, 403)
        self.assertIn(b"consider its credentials exposed", body)

    def files(self):
        """Of the folder that all files of the proxy are in, also those that have no name any more."""
        # Caddy saves its own configuration at a time of its choice.
        found = {str(path) for path in self.folder.rglob("*") if path.is_file() and path.name != "autosave.json"}
        for link in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(link)
                if target.startswith(str(self.folder)) and "autosave.json" not in target:
                    found.add(target)
        return found

    def test_a_slow_reader_leaves_nothing_on_disk(self):
        code = self.deposit()
        before = self.files()
        raw = self.connect(receive_buffer=4096).sock
        count = 200  # more than the sockets in between take
        raw.sendall(f"GET /{code}.ps1 HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode() * count)
        first = raw.recv(1)
        for _ in range(20):
            self.assertEqual(self.files(), before)
            time.sleep(0.02)
        received, answers = first, 0
        while answers < count:
            data = raw.recv(1 << 20)
            self.assertNotEqual(data, b"")
            received += data
            answers += received.count(GOOD["password"].encode())
            received = received[-len(GOOD["password"]) + 1:]

    def test_a_body_leaves_nothing_on_disk(self):
        body = json.dumps({**GOOD, "other": "x" * 15_000}).encode()
        before = self.files()
        raw = self.connect().sock
        raw.sendall(f"POST / HTTP/1.1\r\nHost: {NAME}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        for begin in range(0, len(body), 1000):
            raw.sendall(body[begin:begin + 1000])
            time.sleep(0.01)
            self.assertEqual(self.files(), before)
        answer = raw.recv(65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)

    def test_the_log_of_the_proxy_holds_neither_code_nor_credentials(self):
        code = self.deposit()
        self.ask("GET", f"/{code}")
        peer = self.connect().sock  # an answer that breaks off
        peer.sendall(f"GET /{code}.ps1 HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode() * 20)
        peer.close()
        self.ask_plainly("GET", f"/{code}")
        self.ask_plainly("POST", f"/{code}", json.dumps(GOOD).encode())
        # Nobody there: the error that every proxy likes to tell, with the request.
        self.service.__exit__()
        try:
            self.assertEqual(self.ask("GET", f"/{code}")[0], 502)
        finally:
            type(self).service = self.pairport().__enter__()
        self.assertEqual(self.ask("GET", "/update")[0], 200, "and it goes on by itself")
        for path in self.folder.rglob("*.log"):
            log = path.read_bytes()
            for secret in (code.encode(), GOOD["password"].encode()):
                self.assertNotIn(secret, log, path)


class Nginx(ProxyTest, unittest.TestCase):
    program = "nginx"

    @classmethod
    def command(cls):
        text = (ROOT / "packaging/proxy/nginx.conf").read_text(encoding="utf-8")
        text = substitute(text, (r"listen \[::\]:\d+[^;]*;", ""), (r"listen 443 ssl;", f"listen 127.0.0.1:{cls.https} ssl;"),
                          (r"listen 80;", f"listen 127.0.0.1:{cls.http};"), (r"/run/pairport/pairport\.sock;", f"{cls.socket};"),
                          (r"/etc/letsencrypt/live/\S+/fullchain\.pem", str(cls.certificate)),
                          (r"/etc/letsencrypt/live/\S+/privkey\.pem", str(cls.key)), (r"/var/log/nginx/", f"{cls.folder}/"))
        path = cls.folder / "nginx.conf"
        temps = "".join(f"  {name}_temp_path {cls.folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        path.write_text(f"daemon off;\nmaster_process off;\npid {cls.folder}/nginx.pid;\nerror_log stderr crit;\nevents {{}}\n"
                        f"http {{\n{temps}{text}}}\n", encoding="utf-8")
        return ["nginx", "-p", cls.folder, "-c", path]


class Caddy(ProxyTest, unittest.TestCase):
    program = "caddy"

    @classmethod
    def command(cls):
        text = (ROOT / "packaging/proxy/Caddyfile").read_text(encoding="utf-8")
        text = substitute(text, (r"\n\{\n", f"\n{{\n\tadmin off\n\thttps_port {cls.https}\n\thttp_port {cls.http}\n\tdefault_bind 127.0.0.1\n\tskip_install_trust\n"),
                          (r"(https://pairing\.example\.com \{\n)", rf"\1\ttls {cls.certificate} {cls.key}\n"),
                          (r"unix//run/pairport/pairport\.sock", f"unix/{cls.socket}"))
        path = cls.folder / "Caddyfile"
        path.write_text(text, encoding="utf-8")
        return ["caddy", "run", "--adapter", "caddyfile", "--config", path]


if __name__ == "__main__":
    runner.run()
