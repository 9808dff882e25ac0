# SPDX-License-Identifier: MIT
"""Starts the real pairport program for a test, on a port the kernel chooses, and stops it again.

    with Pairport(config='[pairing]\\nttl = "2s"\\n') as service:
        answer = service.deposit(connect_url=..., fingerprint=..., client_id=..., password=...)
        status, headers, body = service.get("/" + answer["pairing_code"])

The program is $PAIRPORT_BINARY (set by ctest), else build/release/bin/pairport of this tree.
"""

import http.client
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
import tomllib

from runner import ROOT


def binary():
    return os.environ.get("PAIRPORT_BINARY", str(ROOT / "build" / "release" / "bin" / "pairport"))


def await_rounds(pid, rounds=3, seconds=60):
    """Until an idle process has waited and woken so often: each tick of its timers is a round of its loop."""
    def waits():
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)$", status.read(), re.M)[1])
    deadline, wanted = time.monotonic() + seconds, waits() + rounds
    while waits() < wanted:
        if time.monotonic() > deadline:
            raise AssertionError("the process does not wake")
        time.sleep(0.01)


def queues(connection):
    """Bytes that wait in the server's end of a TCP connection over IPv4 of this machine: to be sent, and to be read."""
    own, peer = (f":{port:04X}" for port in (connection.getpeername()[1], connection.getsockname()[1]))
    with open("/proc/net/tcp", encoding="ascii") as table:
        for fields in map(str.split, table):
            if fields[1].endswith(own) and fields[2].endswith(peer):
                return tuple(int(size, 16) for size in fields[4].split(":"))
    raise AssertionError("there is no such connection")


class Program:
    """One running service. `config` is TOML; a `[server]` table without `address` gets port 0 of 127.0.0.1."""

    def __init__(self, config="", address="127.0.0.1:0", wrapper=()):
        if "[server]" not in config:
            config = f'[server]\n  address = "{address}"\n' + config
        elif not re.search(r"^\s*address\s*=", config, re.M):
            config = config.replace("[server]", f'[server]\n  address = "{address}"', 1)
        self.config = config
        # Never to be found in the log. What is shorter could be in there by chance.
        self.secrets = {value for value in re.findall(r'^\s*(?:code|connect_url|fingerprint|client_id|password) = "(.*)"$', config, re.M)
                        if len(value) > 5}
        self.wrapper = list(wrapper)
        self.log = b""
        self.process = None
        self.port = None

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pairport-test-")
        path = os.path.join(self.folder.name, "pairport.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.config)
        self.process = subprocess.Popen(
            [*self.wrapper, binary(), "-c", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        self._await_ready()
        return self

    def _await_ready(self, seconds=60):
        """Ready are the log lines `listening on ...`: they name the ports that the kernel chose. `address` is the
        first of them, `addresses` all, in the order of the configuration."""
        deadline = time.monotonic() + seconds
        wanted = tomllib.loads(self.config)["server"]["address"]
        count = len(wanted) if isinstance(wanted, list) else 1
        while len(lines := re.findall(rb"listening on (\S+).*\n", self.log)) < count:
            if not self._read_log(deadline - time.monotonic()):
                raise RuntimeError("pairport did not start:\n" + self.log.decode(errors="replace"))
        self.addresses = [line.decode() for line in lines]
        self.address = self.addresses[0]
        # Of the first address that has one.
        port = next(filter(None, (re.search(r":(\d+)$", address) for address in self.addresses)), None)
        self.port = int(port.group(1)) if port else None
        self.url = f"http://127.0.0.1:{self.port}"

    def _read_log(self, seconds):
        ready, _, _ = select.select([self.process.stderr], [], [], max(0, seconds))
        if not ready:
            return False
        data = os.read(self.process.stderr.fileno(), 65536)
        self.log += data
        return bool(data)

    def stop(self, seconds=30):
        """SIGTERM, then the exit code; whatever it logged is in `log`."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        if os.environ.get("PAIRPORT_SANITIZE") == "thread":
            self._repeat_signal(time.monotonic() + seconds / 3)
        while self._read_log(deadline - time.monotonic()):
            pass
        return self.process.wait(max(1, deadline - time.monotonic()))

    def _repeat_signal(self, deadline):
        """ThreadSanitizer calls a handler later, at the next call that it knows, and loses a signal now and then that comes
        when the loop is about to wait for the first time: 8 of some 240 starts on a busy machine. The same program without
        it lost none in 400."""
        while time.monotonic() < deadline:
            if not self._read_log(deadline - time.monotonic()):
                break
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def __exit__(self, failure=None, *_):
        try:
            self.stop()
            if failure is None:
                self.check_log()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stderr.close()
            self.folder.cleanup()

    def check_log(self):
        """Whatever a test is about: no credential and no code is in the log."""
        log = self.log.decode(errors="replace")
        found = [secret for secret in self.secrets if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", log)]
        if found:
            raise AssertionError(f"the log holds {found}:\n{log}")

    def request(self, method, path, headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path, user_agent="curl/7.88.1", headers=None):
        return self.request("GET", path, {"User-Agent": user_agent, **(headers or {})})

    def deposit(self, **fields):
        """POST as JSON; the parsed answer. Raises when the service refuses."""
        status, _, body = self.request("POST", "/", {"Content-Type": "application/json"},
                                       json.dumps(fields, ensure_ascii=False).encode())
        if status != 200:
            raise RuntimeError(f"deposit refused: {status} {body.decode(errors='replace')}")
        answer = json.loads(body)
        self.secrets |= {value for value in [*fields.values(), answer["pairing_code"]] if len(value) > 5}
        return answer


# What the tests start: the program, or the same tests against the module in nginx.
Pairport = Program
if os.environ.get("PAIRPORT_SERVER") == "nginx":
    import nginx_process
    Pairport = nginx_process.Nginx
