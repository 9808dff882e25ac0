# SPDX-License-Identifier: MIT
"""The example tests/embed/share_port.cc: a program that hands connections over with the bytes that it has read."""

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
PROGRAM = pathlib.Path(os.environ.get("PAIRPORT_BUILD", ROOT / "build" / "release")) / "bin" / "embed_share_port"
FIELDS = {"connect_url": "http://rport.example.com", "fingerprint": ":".join(["2a"] * 16), "client_id": "id", "password": "it's"}


class EmbedSharePort(unittest.TestCase):
    def start(self, *arguments):
        process = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertTrue(select.select([process.stdout], [], [], 60)[0], "it says where it listens")
        self.port = int(re.fullmatch(rb"listening on http://127\.0\.0\.1:(\d+)\n", process.stdout.readline()).group(1))
        return process

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 0, "the loop could be closed")
        self.assertEqual(process.stderr.read(), b"", "every connection was taken")

    def say(self, *pieces):
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                client.sendall(piece)
            return b"".join(iter(lambda: client.recv(65536), b""))

    def test_each_gets_its_own(self):
        process = self.start()
        own = b"GET /app/hello HTTP/1.1\r\nHost: x\r\n\r\n"
        pairing = b"GET /apply HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"  # begins like the other
        update = b"GET /update HTTP/1.1\r\nHost: x\r\n\r\n"
        for pieces in ((own,), (own[:3], own[3:]), (own[:8], own[8:])):
            self.assertTrue(self.say(*pieces).endswith(b"not pairing: 1"))
        for pieces in ((pairing,), (pairing[:1], pairing[1:]), (pairing[:8], pairing[8:]), [bytes([byte]) for byte in pairing]):
            self.assertTrue(self.say(*pieces).startswith(b"HTTP/1.1 404 "), pieces)
        answers = self.say(update + update + pairing)
        self.assertEqual((answers.count(b"HTTP/1.1 200 OK\r\n"), answers.count(b"HTTP/1.1 404 ")), (2, 1))
        self.assertTrue(self.say(b"\x16\x03\x01\x00").startswith(b"HTTP/1.1 400 "))
        self.stop(process)

    def test_a_deposit_is_handed_over_and_fetched(self):
        process = self.start()
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.addCleanup(client.close)
        client.request("POST", "/", json.dumps(FIELDS), {"Content-Type": "application/json"})
        answer = client.getresponse()
        self.assertEqual(answer.status, 200)
        code = json.loads(answer.read())["pairing_code"]
        script = self.say(f"GET /{code}.sh HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        self.assertIn(rb"'it'\''s'", script)
        self.stop(process)

    def test_who_says_too_little_is_dropped_and_holds_up_nobody(self):
        process = self.start("200")
        self.assertEqual(self.say(b"GET /ap"), b"")
        self.assertEqual(self.say(), b"")
        self.stop(process)

    def test_it_stops_with_connections_of_both_kinds(self):
        process = self.start()
        clients = []
        for begin in (b"GET /ap", b"GET /upd"):
            clients.append(socket.create_connection(("127.0.0.1", self.port), timeout=60))
            self.addCleanup(clients[-1].close)
            clients[-1].sendall(begin)
        self.assertTrue(self.say(b"GET /app/ HTTP/1.1\r\nHost: x\r\n\r\n"))  # so the program has read from both
        process.send_signal(signal.SIGTERM)
        self.assertEqual(clients[0].recv(1), b"")
        clients[1].sendall(b"ate HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(clients[1].recv(65536).startswith(b"HTTP/1.1 200 OK\r\n"), "pairing ends what has begun")
        self.assertEqual(process.wait(60), 0)


if __name__ == "__main__":
    runner.run()
