# SPDX-License-Identifier: MIT
"""The examples tests/embed/poll.cc and poll.c serve like the program: a server on poll(2) around the bytes-level
connection."""

import http.client
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import unittest

import runner

ROOT = runner.ROOT
PROGRAMS = pathlib.Path(os.environ.get("PAIRPORT_BUILD", ROOT / "build" / "release")) / "bin"
FIELDS = {"connect_url": "http://rport.example.com", "fingerprint": ":".join(["2a"] * 16), "client_id": "id", "password": "it's"}


class InCxx(unittest.TestCase):
    program = "embed_poll"

    def setUp(self):
        self.process = subprocess.Popen([PROGRAMS / self.program], stdout=subprocess.PIPE)
        self.addCleanup(self.process.stdout.close)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.assertTrue(select.select([self.process.stdout], [], [], 60)[0], "it says where it listens")
        self.port = int(re.fullmatch(rb"listening on http://127\.0\.0\.1:(\d+)\n", self.process.stdout.readline()).group(1))

    def connect(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, method, path, body=None, headers=None):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def test_a_deposit_comes_back_as_an_installer_on_one_connection(self):
        connection = self.connect()
        status, body = self.ask(connection, "POST", "/", json.dumps(FIELDS), {"Content-Type": "application/json"})
        self.assertEqual(status, 200)
        code = json.loads(body)["pairing_code"]
        for suffix, literal in ((".sh", rb"'it'\''s'"), (".ps1", b"'it''s'")):
            status, script = self.ask(connection, "GET", "/" + code + suffix)
            self.assertEqual(status, 200)
            self.assertIn(literal, script)
        self.assertEqual(self.ask(connection, "HEAD", "/" + code), (200, b""))
        self.assertEqual(self.ask(connection, "GET", "/" + code[::-1])[0], 404)

    def test_a_peer_that_reads_slowly_holds_up_nobody_and_loses_nothing(self):
        size = len(self.ask(self.connect(), "GET", "/update.ps1")[1])
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as slow:
            slow.sendall(b"GET /update.ps1 HTTP/1.1\r\nHost: x\r\n\r\n" * 200)  # more than the sockets hold
            for _ in range(20):
                self.assertEqual(self.ask(self.connect(), "GET", "/update.ps1")[0], 200)
            slow.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: slow.recv(65536), b""))
        self.assertEqual(received.count(b"HTTP/1.1 200 OK\r\n"), 200)
        self.assertGreater(len(received), 200 * size)

    def test_an_answer_reaches_who_sends_too_much(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as client:
            client.sendall(b"GET /update HTTP/1.1\r\nX: " + b"x" * 20000)
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 431 "))
            client.shutdown(socket.SHUT_WR)
            while client.recv(65536):
                pass

    def tearDown(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.process.wait(60), 0)


class InC(InCxx):
    program = "embed_poll_c"


if __name__ == "__main__":
    runner.run()
