# SPDX-License-Identifier: MIT
"""The access log: one right line for each answer, and nothing in it that a client has sent but its address."""

import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import tempfile
import unittest

import runner
from pairport_process import Pairport, await_rounds, binary

GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": ":".join(["2a"] * 16), "client_id": "client-of-log", "password": "hunter2-log"}


def entries(service):
    """What was logged as JSON, after a clean stop."""
    service.stop()
    return [json.loads(line) for line in service.log.decode().splitlines() if line.startswith("{")]


def config(access="json", more="", log=""):
    return f'{more}[log]\n  access = "{access}"\n{log}'


class Entries(unittest.TestCase):
    def test_every_route(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "file").write_bytes(b"x" * 200_000)
            with Pairport(config(more=f'[installer]\n  package_dir = "{folder}"\n')) as service:
                code = service.deposit(**GOOD)["pairing_code"]
                requests = [("GET", "/" + code, "installer", 200), ("HEAD", f"/{code}.ps1", "installer", 200), ("GET", "/nothing", "installer", 404),
                            ("GET", "/update", "update", 200), ("GET", "/uninstall", "uninstall", 200), ("GET", "/packages/file", "package", 200),
                            ("GET", "/packages/none", "package", 404), ("OPTIONS", "/", "preflight", 204), ("GET", "/a/b", "other", 404),
                            ("GET", "/%", "other", 400), ("POST", "/update", "update", 405), ("POST", "/", "deposit", 415)]
                for method, path, _, status in requests:
                    self.assertEqual(service.request(method, path)[0], status)
                with socket.create_connection(("127.0.0.1", service.port)) as client:
                    client.sendall(b"nonsense\r\n\r\n")
                    refused = b""
                    while data := client.recv(65536):
                        refused += data
                log = entries(service)
        self.assertEqual([(e["method"], e["route"], e["status"]) for e in log],
                         [("POST", "deposit", 200)] + [(m, route, status) for m, _, route, status in requests] + [("other", "other", 400)])
        for entry in log:
            self.assertEqual(set(entry), {"time", "method", "route", "status", "bytes", "complete", "ms", "client"} |
                             ({"code"} if entry["route"] == "installer" else set()))
            self.assertRegex(entry["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual((entry["client"], entry["complete"]), ("127.0.0.1", True))
            self.assertLess(entry["ms"], 20_000)
        by_path = dict(zip((path for _, path, _, _ in requests), log[1:]))
        self.assertGreater(by_path["/packages/file"]["bytes"], 200_000)
        self.assertEqual(log[-1]["bytes"], len(refused), "bytes are those on the wire")
        self.assertLess(by_path[f"/{code}.ps1"]["bytes"], 1000, "HEAD sends no body")
        self.assertEqual(by_path["/" + code]["code"], by_path[f"/{code}.ps1"]["code"], "equal codes look equal")
        self.assertNotEqual(by_path["/" + code]["code"], by_path["/nothing"]["code"])
        self.assertRegex(by_path["/nothing"]["code"], r"^[0-9a-f]{8}$")

    def test_the_hash_of_a_code_is_another_one_in_another_run(self):
        hashes = set()
        for _ in range(3):
            with Pairport(config()) as service:
                service.get("/1234567")
                hashes.add(entries(service)[0]["code"])
        self.assertEqual(len(hashes), 3)

    def test_text(self):
        with Pairport(config("text")) as service:
            service.get("/update")
            service.get("/1234567")
            service.stop()
            lines = [line for line in service.log.decode().splitlines() if " access: " in line]
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ access: GET update 200 \d+ bytes \d+ ms 127\.0\.0\.1$")
        self.assertRegex(lines[1], r" access: GET installer 404 \d+ bytes \d+ ms 127\.0\.0\.1 code [0-9a-f]{8}$")
        self.assertEqual(len(lines), 2)

    def test_monitoring_leaves_no_line(self):
        with Pairport(config()) as service:
            for method in ("GET", "HEAD", "GET"):
                self.assertEqual(service.request(method, "/healthz")[0], 200)
            self.assertEqual(service.get("/update")[0], 200)
            self.assertEqual(service.request("POST", "/healthz")[0], 405)
            log = entries(service)
        self.assertEqual([(e["method"], e["route"]) for e in log], [("GET", "update"), ("POST", "health")])

    def test_off_is_the_default(self):
        for text in ("", config("off")):
            with Pairport(text) as service:
                service.get("/update")
                service.stop()
                self.assertNotIn(b"update", service.log)
                self.assertNotIn(b"access", service.log)

    def test_pipelined_requests_have_a_line_each(self):
        with Pairport(config()) as service:
            requests = [b"GET /update HTTP/1.1\r\nHost: x\r\n\r\n", b"HEAD /uninstall HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /a/b HTTP/1.1\r\nHost: x\r\n\r\n"] * 7
            with socket.create_connection(("127.0.0.1", service.port)) as client:
                client.sendall(b"".join(requests))
                client.shutdown(socket.SHUT_WR)
                total = 0
                while data := client.recv(65536):
                    total += len(data)
            log = entries(service)
        self.assertEqual([e["route"] for e in log], ["update", "uninstall", "other"] * 7)
        self.assertEqual(sum(e["bytes"] for e in log), total)

    def test_an_answer_that_was_cut_off(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "large"), "wb") as file:
                file.truncate(1 << 30)
            with Pairport(config(more=f'[installer]\n  package_dir = "{folder}"\n')) as service:
                with socket.create_connection(("127.0.0.1", service.port)) as client:
                    client.sendall(b"GET /packages/large HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertTrue(client.recv(1000))
                log = entries(service)
        self.assertEqual([(e["route"], e["status"], e["complete"]) for e in log], [("package", 200, False)])
        self.assertLess(log[0]["bytes"], 1 << 30)
        self.assertGreater(log[0]["bytes"], 1000)

    def test_the_client_behind_a_proxy_and_shortened_addresses(self):
        proxies = '[server]\n  trusted_proxies = ["127.0.0.1"]\n'
        for shorten, expected in (("false", ["192.0.2.77", "2001:db8:1:2::3"]), ("true", ["192.0.2.0", "2001:db8:1::"])):
            with Pairport(config(more=proxies, log=f"  shorten_addresses = {shorten}\n")) as service:
                for address in ("192.0.2.77", "2001:db8:1:2::3"):
                    service.get("/update", headers={"X-Forwarded-For": address})
                self.assertEqual([e["client"] for e in entries(service)], expected)

    def test_nothing_that_a_client_has_sent(self):
        for access in ("text", "json"):
            with Pairport(config(access)) as service:
                code = service.deposit(**GOOD)["pairing_code"]
                service.get("/" + code, user_agent="agent-of-log", headers={"X-Custom": "custom-of-log", "Accept": "accept-of-log"})
                service.get("/path-of-log/x?query-of-log")
                service.request("BREW-OF-LOG", "/")
                service.stop()
                for text in (*GOOD.values(), code, "of-log", "OF-LOG"):
                    self.assertNotIn(text, service.log.decode())


class Events(unittest.TestCase):
    def test_refused_deposits_are_told_once(self):
        with Pairport("[pairing]\n  max_deposits = 2\n") as service:
            for _ in range(2):
                service.deposit(**GOOD)
            self.assertNotIn(b"refused", service.log)
            for _ in range(5):
                self.assertRaises(RuntimeError, service.deposit, **GOOD)
                await_rounds(service.process.pid)
            service.stop()
            self.assertEqual(len(re.findall(rb"warning: deposits are refused: 2 are held, in \d+ KiB; see \[pairing\] max_deposits", service.log)), 1)

    def test_a_lack_of_descriptors_is_told_once(self):
        with Pairport() as service:
            held = len(os.listdir(f"/proc/{service.process.pid}/fd"))
            resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE, (held, held))
            clients = []  # none is accepted, so that there is nobody to make room
            for _ in range(9):
                clients.append(socket.create_connection(("127.0.0.1", service.port), timeout=20))
                clients[-1].sendall(b"G")  # before that, the kernel keeps it to itself
            await_rounds(service.process.pid, 5)  # each tick tries again
            for client in clients:
                client.close()
            service.stop()
            self.assertEqual(service.log.count(b"warning: new connections have to wait: Too many open files"), 1, service.log)

    @unittest.skipIf(os.environ.get("PAIRPORT_SANITIZE"), "SKIPPED: sanitizers turn mlock(2) into a no-op")
    @unittest.skipUnless(os.geteuid() == 0, "SKIPPED: needs root to become a user without the right to lock memory")
    def test_weaker_memory_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            program = pathlib.Path(folder, "pairport")
            program.write_bytes(pathlib.Path(binary()).read_bytes())
            program.chmod(0o755)
            path = pathlib.Path(folder, "c.conf")
            path.write_text('[server]\naddress = "127.0.0.1:0"\n[limits]\ndeposit_burst = 0\n', encoding="utf-8")
            # Enough for the start, not for many deposits.
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "sh", "-c",
                       f'ulimit -l 8192 && exec "{program}" -c "{path}"']
            with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
                service = Pairport()
                service.process = process
                try:
                    service._await_ready()
                    if not re.search(rb"memory for credentials: (locked|memfd_secret)", service.log):
                        self.skipTest("SKIPPED: no memory can be locked here")
                    large = {**GOOD, "password": "x" * 1024, "connect_url": "http://h/" + "x" * 2000}
                    for _ in range(6000):
                        service.deposit(**large)
                    await_rounds(process.pid)
                finally:
                    process.terminate()
                    service.stop()
                self.assertEqual(service.log.count(b"warning: memory for credentials: from now on plain"), 1, service.log)


class StuckReader(unittest.TestCase):
    """Whoever reads stderr stops reading, as a journal does that hangs: a line for each answer, and nobody waits for it."""

    REQUESTS = 40_000

    def test_the_service_goes_on_and_counts_what_was_lost(self):
        with Pairport(config("text")) as service:
            request = b"HEAD /a/b HTTP/1.1\r\nHost: x\r\n\r\n"
            with socket.create_connection(("127.0.0.1", service.port), timeout=60) as client:
                answers = 0
                for _ in range(self.REQUESTS // 100):
                    client.sendall(request * 100)
                    received = b""
                    while received.count(b"\r\n\r\n") < 100:
                        data = client.recv(1 << 20)
                        self.assertTrue(data)
                        received += data
                    answers += received.count(b"HTTP/1.1 404")
            self.assertEqual(answers, self.REQUESTS)
            self.assertEqual(service.get("/update")[0], 200)
            service.stop()
            logged = len(re.findall(rb" access: HEAD other 404 ", service.log))
            lost = [int(count) for count in re.findall(rb"Z warning: (\d+) lines of the log were lost: whoever reads them does not keep up\n", service.log)]
            self.assertGreater(sum(lost), 0)
            # The last GET has its line, or is among the lost.
            self.assertEqual(logged + sum(lost) + service.log.count(b" access: GET update 200 "), self.REQUESTS + 1)
            self.assertIn(b"info: stopped\n", service.log, "messages have room of their own")

    def test_the_service_ends_although_nobody_reads(self):
        with Pairport(config("text")) as service:
            with socket.create_connection(("127.0.0.1", service.port), timeout=60) as client:
                for _ in range(20):
                    client.sendall(b"HEAD /a/b HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
                    received = b""
                    while received.count(b"\r\n\r\n") < 100:
                        received += client.recv(1 << 20)
            service.process.terminate()
            self.assertEqual(service.process.wait(30), 0)


class Limits(unittest.TestCase):
    def test_a_limit_that_trips_is_told_with_a_count(self):
        with Pairport("[limits]\n  miss_burst = 3\n  misses_per_second = 0.001\n  deposit_burst = 2\n  deposits_per_second = 0.001\n") as service:
            statuses = [service.get(f"/123456{i}")[0] for i in range(6)]
            self.assertEqual(statuses, [404] * 3 + [429] * 3)
            deposits = [service.request("POST", "/", {"Content-Type": "application/json"}, json.dumps(GOOD))[0] for _ in range(5)]
            self.assertEqual(deposits, [200] * 2 + [429] * 3)
            await_rounds(service.process.pid)  # nothing more is told within the minute
            self.assertEqual(service.get("/1234567")[0], 429)
            service.stop()
        # Once at the first tick, and what came since then at the stop.
        look_ups = re.findall(r"warning: (\d) look-ups were refused \(429\): .*misses_per_second", service.log.decode())
        self.assertEqual(sum(map(int, look_ups)), 4, service.log)
        self.assertEqual(len(look_ups), 2, service.log)
        told = re.findall(r"warning: (\d) deposits were refused \(429\): .*deposits_per_second", service.log.decode())
        self.assertEqual(sum(map(int, told)), 3, service.log)
        self.assertLessEqual(len(told), 2, service.log)

    def hold(self, service, count, source):
        clients = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", service.port), timeout=30, source_address=(source, 0))
            self.addCleanup(client.close)
            client.sendall(b"HEAD /update HTTP/1.1\r\nHost: x\r\n\r\n")
            clients.append((client, client.recv(65536)[:13]))
        return clients

    def test_connections_beyond_those_of_an_address_are_told_with_a_count(self):
        with Pairport("[limits]\n  max_connections_per_address = 2\n") as service:
            statuses = [status for _, status in self.hold(service, 7, "127.0.0.2")]
            self.assertEqual(statuses, [b"HTTP/1.1 200 "] * 2 + [b"HTTP/1.1 503 "] * 5)
            service.stop()
        # Some at the first tick, and what came since then at the stop.
        told = re.findall(r"warning: (\d) connections were refused .*max_connections_per_address", service.log.decode())
        self.assertEqual(sum(map(int, told)), 5, service.log)
        self.assertLessEqual(len(told), 2, service.log)
        self.assertNotIn(b"to make room", service.log)

    def test_connections_that_make_room_are_told_with_a_count(self):
        with Pairport("[limits]\n  max_connections = 2\n") as service:
            statuses = [status for _, status in self.hold(service, 6, "127.0.0.2")]
            self.assertEqual(statuses, [b"HTTP/1.1 200 "] * 6)
            service.stop()
        told = re.findall(r"warning: (\d) connections were closed to make room, or refused: .*max_connections allows", service.log.decode())
        self.assertEqual(sum(map(int, told)), 4, service.log)
        self.assertLessEqual(len(told), 2, service.log)

    def test_no_limit_no_word(self):
        with Pairport() as service:
            service.get("/1234567")
            service.get("/update")
            service.stop()
        self.assertNotIn(b"refused", service.log)
        self.assertNotIn(b"connections", service.log)
        self.assertNotIn(b"X-Forwarded-For", service.log)

    def test_a_header_of_a_peer_that_is_not_trusted_is_told_once(self):
        for trusted, count in (("", 1), ('  trusted_proxies = ["127.0.0.1"]\n', 0)):
            with Pairport("[server]\n" + trusted) as service, socket.create_connection(("127.0.0.1", service.port)) as waiting:
                waiting.sendall(b"G")  # the clock of the service goes while somebody is connected
                for _ in range(3):
                    self.assertEqual(service.get("/update", headers={"X-Forwarded-For": "192.0.2.1"})[0], 200)
                    await_rounds(service.process.pid)
                service.stop()
            self.assertEqual(service.log.count(b"warning: a peer that [server] trusted_proxies does not name sends X-Forwarded-For"), count, service.log)


if __name__ == "__main__":
    runner.run()
