# SPDX-License-Identifier: MIT
"""Bytes that nobody should send to a port of HTTPS: they get an alert, and nobody else notices."""

import contextlib
import os
import random
import socket
import ssl
import struct
import subprocess
import tempfile
import unittest

import runner
from certificates import make_certificate
from https_service import HttpsService, client_hello, exchange, receive_all, request, trusting_all


def record(kind, body, version=b"\x03\x03"):
    return bytes([kind]) + version + struct.pack(">H", len(body)) + body


class Garbage(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.certificate = make_certificate(cls.folder)

    def setUp(self):
        self.service = self.enterContext(HttpsService([self.certificate], rest='[limits]\n  tls_handshake_timeout = "2s"\n'))
        self.addCleanup(self.assert_serves)

    def assert_serves(self):
        """Cleanups run before the service is stopped: it is there and answers."""
        self.assertIsNone(self.service.process.poll())
        with self.service.tls() as client:
            self.assertEqual(exchange(client, "/update")[0][:13], b"HTTP/1.1 200 ")

    def say(self, *pieces):
        """What the service says to it until it closes."""
        with self.service.raw() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for piece in pieces:
                    client.sendall(piece)
            return receive_all(client)

    def handshake(self, fragment):
        """A whole handshake and an answer, with what the client sends sent in pieces by `fragment`."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting_all().wrap_bio(incoming, outgoing, server_hostname="localhost")
        with self.service.raw() as raw:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def drive(act):
                while True:
                    try:
                        result = act()
                    except ssl.SSLWantReadError:
                        result = None
                    for piece in fragment(outgoing.read()):
                        raw.sendall(piece)
                    if result is not None:
                        return result
                    data = raw.recv(65536)
                    if not data:
                        raise ConnectionError("closed")
                    incoming.write(data)

            drive(lambda: client.do_handshake() or True)
            drive(lambda: client.write(request("/update", close=True)))
            return drive(lambda: client.read(65536) or True)

    def test_one_byte_at_a_time(self):
        self.assertEqual(self.handshake(lambda data: (data[i:i + 1] for i in range(len(data))))[:13], b"HTTP/1.1 200 ")

    def test_a_hello_in_records_of_one_byte(self):
        """mbedTLS 2.28 refuses it, 3.6 may take it: either way with an alert or an answer to it, and soon."""
        hello = client_hello()
        answer = self.say(b"".join(record(22, hello[i:i + 1], b"\x03\x01") for i in range(5, len(hello))))
        self.assertIn(answer[:1], (b"\x15", b"\x16"))

    def test_records_that_are_too_long(self):
        for length in (16 * 1024 + 2049, 0xffff):
            answer = self.say(b"\x16\x03\x03" + struct.pack(">H", length) + b"\x01" * length)
            self.assertEqual(answer[:3], b"\x15\x03\x03", length)

    def test_records_that_are_too_long_on_an_open_connection(self):
        for kind in (20, 21, 22, 23, 24, 99):
            for length in (0, 1, 16 * 1024 + 2048, 0xffff):
                with self.service.tls() as client:
                    # Below TLS: nothing of it can be authentic.
                    raw = socket.socket(fileno=os.dup(client.fileno()))
                    with raw, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        raw.settimeout(30)
                        raw.sendall(bytes([kind]) + b"\x03\x03" + struct.pack(">H", length) + b"\x01" * length)
                        raw.shutdown(socket.SHUT_WR)
                        receive_all(raw)

    def test_empty_records(self):
        self.assertIn(self.say(record(22, b"") * 10_000)[:1], (b"", b"\x15"))

    def test_random_bytes(self):
        chance = random.Random(6)
        hello = client_hello()
        for _ in range(300):
            data = bytearray(hello)
            for _ in range(chance.randrange(1, 8)):
                data[chance.randrange(5, len(data))] = chance.randrange(256)
            with self.service.raw() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(data[: chance.choice((len(data), chance.randrange(1, len(data))))])
                client.shutdown(socket.SHUT_WR)
                receive_all(client)
        for _ in range(100):
            with self.service.raw() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(chance.choice((b"\x16\x03\x01", b"\x16", b"", b"\x80")) + chance.randbytes(chance.randrange(1, 20_000)))
                client.shutdown(socket.SHUT_WR)
                receive_all(client)

    def test_renegotiation(self):
        process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.service.tls_port}", "-tls1_2", "-legacy_renegotiation"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            output = b""
            while b"Verify return code" not in output:
                output += os.read(process.stdout.fileno(), 65536) or self.fail(output)
            process.stdin.write(b"R\n")
            process.stdin.flush()
            output, _ = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
        self.assertIn(b"RENEGOTIATING", output)
        self.assertRegex(output, rb"no renegotiation|alert|unexpected")
        self.assertNotIn(b"Cipher is ", output.partition(b"RENEGOTIATING")[2])

    def test_many_small_records(self):
        """One byte of a head in each, as fast as it goes: that is refused like any head that is too long."""
        with self.service.tls() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
            for _ in range(9000):
                client.send(b"x")
            self.assertEqual(client.recv(13), b"HTTP/1.1 431 ")

    def test_ends_without_end(self):
        """close_notify, and then again and again: the first one counts."""
        for _ in range(200):
            with self.service.tls() as client, contextlib.suppress(OSError):
                client.unwrap()
        with self.service.raw() as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(10_000):
                client.sendall(record(21, b"\x01\x00"))
            self.assertEqual(receive_all(client)[:1], b"\x15")


if __name__ == "__main__":
    runner.run()
