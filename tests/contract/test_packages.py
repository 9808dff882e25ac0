# SPDX-License-Identifier: MIT
"""The package folder: whole files, ranges, conditions, and nothing outside of it."""

import http.client
import os
import pathlib
import re
import socket
import tempfile
import unittest

import runner
from pairport_process import Pairport

NAME = "rport_0.9.14_linux_x86_64.tar.gz"


class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pairport-packages-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        cls.folder = cls.root / "packages"
        cls.folder.mkdir()
        cls.data = os.urandom(300_000)
        (cls.folder / NAME).write_bytes(cls.data)
        (cls.folder / "empty").write_bytes(b"")
        (cls.folder / ".hidden").write_bytes(b"secret")
        (cls.folder / "sub").mkdir()
        (cls.folder / "sub" / "file").write_bytes(b"secret")
        (cls.root / "outside").write_bytes(b"secret")
        (cls.folder / "link").symlink_to(cls.root / "outside")
        os.mkfifo(cls.folder / "fifo")
        cls.service = Pairport(f'[installer]\n  package_dir = "{cls.folder}"\n')
        cls.service.__enter__()
        cls.addClassCleanup(cls.service.__exit__, None, None, None)

    def get(self, name, **headers):
        return self.service.get("/packages/" + name, headers=headers)

    def test_a_file_comes_whole(self):
        status, headers, body = self.get(NAME)
        self.assertEqual(status, 200)
        self.assertEqual(body, self.data)
        self.assertEqual(headers["Content-Type"], "application/octet-stream")
        self.assertEqual(headers["Accept-Ranges"], "bytes")
        self.assertRegex(headers["ETag"], r'^"[0-9a-f]+-[0-9a-f]+"$')
        self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
        self.assertIsNone(headers["Access-Control-Allow-Origin"])
        status, headers, body = self.get("empty")
        self.assertEqual((status, body, headers["Content-Length"]), (200, b"", "0"))

    def test_head_is_get_without_the_body(self):
        for headers in ({}, {"Range": "bytes=10-19"}, {"Range": "bytes=999999-"}):
            status, get_headers, body = self.get(NAME, **headers)
            head_status, head_headers, head_body = self.service.request("HEAD", "/packages/" + NAME, headers)
            self.assertEqual((head_status, head_body), (status, b""))
            self.assertEqual([h for h in head_headers.items() if h[0] != "Date"], [h for h in get_headers.items() if h[0] != "Date"])
            self.assertEqual(int(head_headers["Content-Length"]), len(body))

    def test_ranges(self):
        size = len(self.data)
        for spec, first, last in [("bytes=0-0", 0, 0), ("bytes=0-", 0, size - 1), ("bytes=100-199", 100, 199), ("bytes=-1", size - 1, size - 1),
                                  ("bytes=-100", size - 100, size - 1), (f"bytes=-{size + 5}", 0, size - 1),
                                  (f"bytes={size - 1}-{size + 100}", size - 1, size - 1), ("bytes=65535-65536", 65535, 65536), ("Bytes=0-1", 0, 1),
                                  ("bytes=5-99999999999999999999", 5, size - 1), ("bytes=-99999999999999999999", 0, size - 1)]:
            status, headers, body = self.get(NAME, Range=spec)
            self.assertEqual(status, 206, spec)
            self.assertEqual(headers["Content-Range"], f"bytes {first}-{last}/{size}", spec)
            self.assertEqual(body, self.data[first:last + 1], spec)
        for spec in (f"bytes={size}-", f"bytes={size + 1}-{size + 2}", "bytes=-0", "bytes=99999999999999999999-",
                     "bytes=99999999999999999999-99999999999999999999"):
            status, headers, body = self.get(NAME, Range=spec)
            self.assertEqual((status, headers["Content-Range"], body), (416, f"bytes */{size}", b""), spec)
        for spec in ("bytes=2-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=0-1,5-6", "items=0-1", "bytes=0-1x", "octets=0-1",
                     "bytes=" + "1" * 600 + "-"):
            status, _, body = self.get(NAME, Range=spec)
            self.assertEqual((status, len(body)), (200, size), f"{spec}: ignored")
        self.assertEqual(self.get("empty", Range="bytes=0-")[0], 416)

    def test_conditions(self):
        etag = self.get(NAME)[1]["ETag"]
        self.assertEqual(self.get(NAME, **{"If-None-Match": etag})[0], 304)
        self.assertEqual(self.get(NAME, **{"If-None-Match": '"x"'})[0], 200)
        self.assertEqual(self.get(NAME, **{"If-Range": etag, "Range": "bytes=0-9"})[0], 206)
        self.assertEqual(self.get(NAME, **{"If-Range": '"x"', "Range": "bytes=0-9"})[0], 200, "another file by now")
        changed = self.folder / "changes"
        changed.write_bytes(b"one")
        first = self.get("changes")[1]["ETag"]
        changed.write_bytes(b"three")
        self.assertNotEqual(self.get("changes")[1]["ETag"], first)

    def test_nothing_outside_of_the_folder(self):
        for path in ("/packages/../outside", "/packages/..", "/packages/%2e%2e%2foutside", "/packages/..%2Foutside", "/packages/.hidden",
                     "/packages/sub/file", "/packages/sub%2ffile", "/packages/sub", "/packages/link", "/packages/fifo", "/packages/nothing",
                     "/packages//etc/passwd", "/packages/%2fetc%2fpasswd", "/packages/a%00b", "/packages/", "/packages/" + "a" * 300,
                     "/packages/a\\..\\b", "/packages/%2e"):
            for method in ("GET", "HEAD"):
                status, _, body = self.service.request(method, path)
                self.assertEqual(status, 404, path)
                self.assertNotIn(b"secret", body)

    def test_other_methods(self):
        status, headers, _ = self.service.request("POST", "/packages/" + NAME, body=b"x")
        self.assertEqual((status, headers["Allow"]), (405, "GET, OPTIONS, HEAD"))

    def test_keep_alive_and_pipelining(self):
        request = f"GET /packages/{NAME} HTTP/1.1\r\nHost: x\r\nRange: bytes={{}}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.service.port), timeout=20) as client:
            client.sendall((request.format("0-9") + request.format("10-19") + "GET /update HTTP/1.1\r\nHost: x\r\n\r\n").encode())
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while data := client.recv(65536):
                answer += data
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", answer), [b"206", b"206", b"200"])
        self.assertLess(answer.index(self.data[:10]), answer.index(self.data[10:20]))

    def test_a_large_file_takes_no_memory(self):
        size = 400 * 1024 * 1024
        with open(self.folder / "large", "wb") as file:
            file.seek(size - 1)
            file.write(b"x")
        before = self.resident()
        connections = []
        for _ in range(5):
            connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=60)
            connection.request("GET", "/packages/large")
            connections.append(connection)
        # Four that do not read, and one that reads everything.
        answer = connections[0].getresponse()
        self.assertEqual(int(answer.headers["Content-Length"]), size)
        total = 0
        while data := answer.read(1 << 20):
            total += len(data)
        self.assertEqual(total, size)
        self.assertLess(self.resident() - before, 8 * 1024 * 1024)
        self.assertEqual(self.service.get("/update")[0], 200)
        for connection in connections:
            connection.close()
        self.assertEqual(self.service.get("/update")[0], 200)

    def test_a_file_that_gets_shorter_ends_the_connection(self):
        path = self.folder / "shrinks"
        path.write_bytes(b"x" * 50_000_000)
        with socket.create_connection(("127.0.0.1", self.service.port), timeout=20) as client:
            client.sendall(b"GET /packages/shrinks HTTP/1.1\r\nHost: x\r\n\r\n")
            client.recv(1000)
            path.write_bytes(b"x")
            received = 0
            while data := client.recv(1 << 20):
                received += len(data)
        self.assertLess(received, 50_000_000, "cut off, and so noticed")

    def resident(self):
        status = pathlib.Path(f"/proc/{self.service.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) * 1024

    def test_scripts_point_to_the_folder(self):
        deposit = f'''
[static-deposit]
  code = "0000000"
  connect_url = "http://rport.example.com"
  fingerprint = "{":".join(["2a"] * 16)}"
  client_id = "client1"
  password = "foobaz"
'''
        with Pairport(f'[server]\n  url = "https://p.example.com"\n[installer]\n  package_dir = "{self.folder}"\n{deposit}') as service:
            script = service.get("/0000000")[2].decode()
            self.assertIn("LINUX_URL='https://p.example.com/packages/rport_{version}_{os}_{arch}.tar.gz'\n", script)
            self.assertIn("CHECKSUMS_URL='https://p.example.com/packages/checksums.txt'\n", script)
            self.assertIn("USE_REPOSITORIES='false'\n", script)
            script = service.get("/0000000.ps1")[2].decode()
            self.assertIn("'https://p.example.com/packages/rport_{version}_{os}_{arch}.msi'", script)
        explicit = f'[installer]\n  package_dir = "{self.folder}"\n  linux_url = "https://x.example.com/a.tar.gz"\n  use_repositories = true\n'
        with Pairport(explicit + deposit) as service:
            script = service.get("/0000000")[2].decode()
            self.assertIn("LINUX_URL='https://x.example.com/a.tar.gz'\n", script)
            self.assertIn("USE_REPOSITORIES='true'\n", script)


class WithoutFolder(unittest.TestCase):
    def test_there_is_nothing(self):
        with Pairport() as service:
            self.assertEqual(service.get("/packages/" + NAME)[0], 404)


if __name__ == "__main__":
    runner.run()
