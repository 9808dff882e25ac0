# SPDX-License-Identifier: MIT
"""Every time-out and limit of [limits], reached through the real program."""

import contextlib
import http.client
import os
import pathlib
import select
import socket
import tempfile
import time
import unittest

import runner
from pairport_process import Pairport

GET = b"GET /update HTTP/1.1\r\nHost: x\r\n\r\n"
# Time-outs are met within a tick of 128 ms; the rest is what a busy machine may need.
SLACK = 2.5


def limits(**keys):
    return "[limits]\n" + "".join(f"  {key} = {value if isinstance(value, int) else chr(34) + value + chr(34)}\n" for key, value in keys.items())


def connect(service, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", service.port), timeout=30, source_address=(source, 0))


def receive_all(client):
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            received += data
    return received


def status_of(client):
    client.sendall(GET)
    return client.recv(65536)[:12]


class TimeOuts(unittest.TestCase):
    def assert_takes(self, least, start):
        taken = time.monotonic() - start
        self.assertGreater(taken, least - 0.15, "not before its time")
        self.assertLess(taken, least + SLACK)

    def test_head(self):
        with Pairport(limits(head_timeout="1s")) as service, connect(service) as client, connect(service) as silent:
            start = time.monotonic()
            client.sendall(b"GET / HTTP/1.1\r\nHos")
            self.assertIn(b"HTTP/1.1 408 ", receive_all(client))
            self.assert_takes(1, start)
            self.assertEqual(receive_all(silent), b"", "who has said nothing gets no answer")

    def test_body(self):
        with Pairport(limits(body_timeout="1s")) as service, connect(service) as client:
            start = time.monotonic()
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
            self.assertIn(b"HTTP/1.1 408 ", client.recv(65536))
            self.assert_takes(1, start)

    def test_minimum_rate_of_a_body(self):
        with Pairport(limits(body_timeout="1h")) as service, connect(service) as client, connect(service) as fast:
            start = time.monotonic()
            head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16000\r\n\r\n"
            for other in (client, fast):
                other.sendall(head)
                other.settimeout(0.25)
            answer = b""
            while not answer and time.monotonic() - start < 20:
                client.sendall(b"x")
                fast.sendall(b" " * 400)
                with contextlib.suppress(TimeoutError):
                    answer = client.recv(100)
            self.assertIn(b"HTTP/1.1 408 ", answer)
            self.assert_takes(5, start)
            with self.assertRaises(TimeoutError, msg="a body that comes at the rate goes on"):
                fast.recv(100)

    def test_idle(self):
        with Pairport(limits(idle_timeout="2s")) as service:
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
            for _ in range(2):
                connection.request("GET", "/update")
                self.assertEqual(connection.getresponse().read()[:2], b"#!")
                start = time.monotonic()
            self.assertEqual(connection.sock.recv(100), b"")
            self.assert_takes(2, start)
            connection.close()

    def stalled_reader(self, reads=0, **keys):
        """How long a reader that has stopped holds the only connection that its address may have. Or one that goes on and
        reads so many bytes each tenth of a second."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "large"), "wb") as file:
                file.truncate(1 << 30)
            config = limits(max_connections_per_address=1, **keys) + f'[installer]\n  package_dir = "{folder}"\n'
            with Pairport(config) as service, socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(("127.0.0.1", service.port))
                client.sendall(b"GET /packages/large HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(client.recv(1))
                start = time.monotonic()
                while True:
                    with connect(service) as other, contextlib.suppress(ConnectionResetError):
                        if b"200" in status_of(other):
                            return time.monotonic() - start
                    if time.monotonic() - start > 10:
                        return None
                    if reads:
                        self.assertTrue(client.recv(reads))
                    time.sleep(0.1)

    def test_answer(self):
        fast = self.stalled_reader(answer_timeout="1s", min_bytes_per_second=1_000_000_000)
        self.assertIsNotNone(fast)
        self.assertGreater(fast, 0.8)
        self.assertLess(fast, 1 + SLACK)
        later = self.stalled_reader(answer_timeout="4s", min_bytes_per_second=1_000_000_000)
        self.assertIsNotNone(later)
        self.assertGreater(later, 3.8)
        self.assertLess(later, 4 + SLACK)

    def test_minimum_rate(self):
        # A piece of a file is 64 KiB or more: at this rate that is two seconds on top, which a reader has that goes on.
        slow = self.stalled_reader(reads=1500, answer_timeout="1s", min_bytes_per_second=32 * 1024)
        self.assertIsNotNone(slow)
        self.assertGreater(slow, 2.8)
        self.assertIsNone(self.stalled_reader(reads=4000, answer_timeout="3s", min_bytes_per_second=1))

    def test_a_reader_that_has_stopped_does_not_get_the_time_of_the_minimum_rate(self):
        # What it took last may lie up to a second back when that is looked at for the first time.
        self.assertLess(self.stalled_reader(answer_timeout="1s", min_bytes_per_second=1), 2 + SLACK)

    def test_linger(self):
        for seconds in (1, 4):
            with Pairport(limits(linger_timeout=f"{seconds}s")) as service, connect(service) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
                self.assertIn(b"HTTP/1.1 413 ", receive_all(client))
                start = time.monotonic()
                with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                    while time.monotonic() - start < 30:
                        client.sendall(b"x")
                        time.sleep(0.05)
                self.assert_takes(seconds, start)

    def test_drain(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "large"), "wb") as file:
                file.truncate(1 << 30)
            config = limits(drain_timeout="1s") + f'[installer]\n  package_dir = "{folder}"\n'
            with Pairport(config) as service, connect(service) as client:
                client.sendall(b"GET /packages/large HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(client.recv(1))
                start = time.monotonic()
                self.assertEqual(service.stop(), 0)
                self.assert_takes(1, start)


class Connections(unittest.TestCase):
    def test_in_total(self):
        with Pairport(limits(max_connections=4)) as service, contextlib.ExitStack() as stack:
            sources = ["127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.3"]
            busy = [stack.enter_context(connect(service, source)) for source in sources]
            for client in busy:
                client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
                self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 100 "))
            for _ in range(2):
                late = stack.enter_context(connect(service, "127.0.0.4"))
                self.assertEqual(status_of(late), b"HTTP/1.1 200")
            readable, _, _ = select.select(busy, [], [], 10)
            self.assertEqual(len(readable), 2)
            self.assertNotIn(busy[0], readable, "both were of the client with most")
            self.assertEqual([receive_all(client) for client in readable], [b"", b""])
            busy[0].sendall(b"hello")
            self.assertTrue(busy[0].recv(65536).startswith(b"HTTP/1.1 4"), "whoever has one goes on")

    def test_who_only_waits_makes_room(self):
        with Pairport(limits(max_connections=3)) as service, contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(connect(service, f"127.0.0.{i + 1}")) for i in range(3)]
            self.assertEqual([status_of(client) for client in waiting], [b"HTTP/1.1 200"] * 3)
            for _ in range(3):
                with connect(service) as late:
                    self.assertEqual(status_of(late), b"HTTP/1.1 200")
            self.assertEqual(receive_all(waiting[0]), b"", "the one that has waited longest was closed")

    def test_per_address(self):
        with Pairport(limits(max_connections_per_address=2)) as service, contextlib.ExitStack() as stack:
            clients = [stack.enter_context(connect(service, "127.0.0.2")) for _ in range(2)]
            self.assertEqual([status_of(client) for client in clients], [b"HTTP/1.1 200"] * 2)
            for _ in range(5):
                with connect(service, "127.0.0.2") as late:
                    answer = receive_all(late)
                    self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
                    self.assertIn(b"\r\nRetry-After: ", answer)
            with connect(service, "127.0.0.3") as other:
                self.assertEqual(status_of(other), b"HTTP/1.1 200", "others are not concerned")
            clients[0].close()
            self.until_served(service, "127.0.0.2")

    def until_served(self, service, source):
        deadline = time.monotonic() + 20
        while True:
            with connect(service, source) as again, contextlib.suppress(ConnectionError):
                if status_of(again) == b"HTTP/1.1 200":
                    return
            self.assertLess(time.monotonic(), deadline, "a place that is given back can be taken")

    def test_default_and_off(self):
        for config, most in (("", 512), (limits(max_connections_per_address=0), 600)):
            with Pairport(config) as service, contextlib.ExitStack() as stack:
                clients = [stack.enter_context(connect(service)) for _ in range(600)]
                served = 0
                for client in clients:
                    with contextlib.suppress(ConnectionError):
                        served += status_of(client) == b"HTTP/1.1 200"
                self.assertEqual(served, most)

    def test_trusted_proxies_and_unix_sockets_are_not_counted(self):
        with Pairport('[server]\n  trusted_proxies = ["127.0.0.2"]\n' + limits(max_connections_per_address=1)) as service:
            with contextlib.ExitStack() as stack:
                clients = [stack.enter_context(connect(service, "127.0.0.2")) for _ in range(5)]
                self.assertEqual([status_of(client) for client in clients], [b"HTTP/1.1 200"] * 5)
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            config = f'[server]\n  address = "unix:{folder}/s"\n  url = "https://p.example.com"\n' + limits(max_connections_per_address=1)
            stack.enter_context(Pairport(config))
            for _ in range(5):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(str(pathlib.Path(folder, "s")))
                self.assertEqual(status_of(client), b"HTTP/1.1 200")


class Sizes(unittest.TestCase):
    def check(self, service, lines, head_size, body_size):
        """Exactly so much is taken, and one more is not."""
        for count, status in ((lines - 1, b"200"), (lines, b"431")):  # and one Host
            with connect(service) as client:
                client.sendall(b"GET /update HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * count + b"\r\n")
                self.assertEqual(client.recv(65536)[9:12], status, count)
        for size, status in ((head_size, b"200"), (head_size + 1, b"431")):
            with connect(service) as client:
                head = b"GET /update HTTP/1.1\r\nHost: x\r\nA: "
                client.sendall(head + b"b" * (size - len(head) - 4) + b"\r\n\r\n")
                self.assertEqual(client.recv(65536)[9:12], status, size)
        for size, status in ((body_size, 400), (body_size + 1, 413)):
            answer = service.request("POST", "/", {"Content-Type": "application/json"}, b" " * size)
            self.assertEqual(answer[0], status)
            self.assertEqual(str(body_size).encode() in answer[2], status == 413, answer[2])
            with connect(service) as client:
                client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                               + b"%x\r\n" % size + b" " * size + b"\r\n0\r\n\r\n")
                self.assertEqual(client.recv(65536)[9:12], b"%d" % status)
        with connect(service) as client:  # behind a request that is answered first
            client.sendall(GET + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (body_size + 1) + b" " * (body_size + 1))
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(receive_all(client).count(b"HTTP/1.1 413 "), 1)

    def test_defaults(self):
        with Pairport() as service:
            self.check(service, 64, 8192, 16384)

    def test_lower_ones(self):
        with Pairport(limits(max_headers=8, max_head_bytes=1024, max_body_bytes=2000)) as service:
            self.check(service, 8, 1024, 2000)


class Networks(unittest.TestCase):
    def ask(self, service, addresses):
        """The status of a guess from each of these addresses, as a trusted proxy names them."""
        statuses = []
        with connect(service) as client:
            reader = client.makefile("rb")
            for address in addresses:
                client.sendall(b"GET /ABCDEFGHIJ HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nX-Forwarded-For: %s\r\n\r\n"
                               % address.encode())
                statuses.append(int(reader.readline()[9:12]))
                length = 0
                while (line := reader.readline()) != b"\r\n":
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                reader.read(length)
        return statuses

    def test_a_whole_ipv6_network_guesses_like_sixteen_clients(self):
        with Pairport('[server]\n  trusted_proxies = ["127.0.0.1"]\n') as service:
            start = time.monotonic()
            statuses = self.ask(service, [f"2001:db8:7:{i:x}::1" for i in range(1500)])
            taken = time.monotonic() - start
            self.assertGreaterEqual(statuses.count(404), 320)
            self.assertLessEqual(statuses.count(404), 320 + 16 * taken + 1)
            self.assertEqual(statuses.count(429), 1500 - statuses.count(404))
            self.assertEqual(self.ask(service, ["2001:db8:8::1", "192.0.2.1"]), [404, 404], "others have budgets of their own")
            service.stop()
        self.assertRegex(service.log.decode(), r"info: \d+ look-ups of codes that do not exist, by all clients together, since")

    def test_budgets_of_networks_can_be_chosen(self):
        config = '[server]\n  trusted_proxies = ["127.0.0.1"]\n' + limits(miss_burst=2) + '  misses_per_second = 0.001\n  ipv6_budgets = "60:1 32:3"\n'
        with Pairport(config) as service:
            statuses = self.ask(service, ["2001:db8::1", "2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:10::1", "2001:db8:1::1",
                                          "2001:db8:2::1", "2001:db8:3::1", "2001:db8:4::1", "2001:db9::1"])
            self.assertEqual(statuses, [404, 404, 429, 404, 404, 404, 404, 429, 404])


if __name__ == "__main__":
    runner.run()
