# SPDX-License-Identifier: MIT
"""A gate on what requests cost: instructions in user space, counted by valgrind's callgrind, against numbers.json.

Times on a shared machine say little; instructions are the same every time. There is a number for each compiler, because
another one makes other instructions of the same source. Whoever makes a request dearer has to say so: see MAY_RECORD.
"""

import contextlib
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import subprocess
import tempfile
import unittest
from unittest import mock

import runner
from pairport_process import Pairport

NUMBERS = pathlib.Path(__file__).with_name("numbers.json")
RECORD = "PAIRPORT_RECORD_INSTRUCTIONS"
MARGIN = 0.005
# Whatever disturbs a run of the whole program (a tick of its clock while the machine is busy) adds instructions.
ATTEMPTS = 3
MAY_RECORD = (
    f"A change may cost more only where its commit says what for. Then record it, with this compiler and each other one that "
    f"has numbers: {RECORD}=1 ctest --preset release -R '^instructions$', and commit tests/instructions/numbers.json with "
    "the change.")
# The C library chooses its copies by the processor; without these, all that have AVX2 choose the same. (callgrind counts
# each byte of a `rep stosb` as an instruction.)
TUNABLES = "glibc.cpu.hwcaps=-ERMS,-FSRM"
REQUESTS_OF_THE_PROBE = 100
GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24",
        "client_id": "client1", "password": "foobaz"}


def key():
    return f"{os.environ['PAIRPORT_COMPILER']}, {platform.machine()}, {' '.join(platform.libc_ver())}"


def obstacle():
    """Why nothing can be counted here, or nothing."""
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    if "PAIRPORT_COMPILER" not in os.environ:
        return "only ctest knows the compiler"
    if os.environ["PAIRPORT_CXX_FLAGS"].strip():
        return f"built with flags of its own: {os.environ['PAIRPORT_CXX_FLAGS']}"
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text().split():
        return "libraries choose other code for a processor without AVX2"
    if key() not in json.loads(NUMBERS.read_text()) and RECORD not in os.environ:
        return f"tests/instructions/numbers.json has nothing for: {key()}; to add it: {RECORD}=1"
    return ""


def callgrind(folder, *options):
    return ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={folder}/out", *options]


def total_of(file):
    return int(re.search(r"^totals: (\d+)$", pathlib.Path(file).read_text(), re.M)[1])


@unittest.skipIf(obstacle(), obstacle())
class Instructions(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="pairport-test-"))
        self.enterContext(mock.patch.dict(os.environ, {"GLIBC_TUNABLES": TUNABLES}))

    def check(self, name, count):
        """`count` gives instructions per request, exactly or too many."""
        numbers = json.loads(NUMBERS.read_text())
        if RECORD in os.environ:
            numbers.setdefault(key(), {})[name] = min(count() for _ in range(ATTEMPTS))
            NUMBERS.write_text(json.dumps(numbers, indent=2, sort_keys=True) + "\n")
            return
        self.assertIn(name, numbers[key()], MAY_RECORD)
        recorded = numbers[key()][name]
        for _ in range(ATTEMPTS):
            counted = count()
            print(f"{name}: {counted}, recorded {recorded}")
            if counted <= recorded * (1 + MARGIN):
                return
        self.fail(f"{name}: {counted} instructions for each request; {recorded} are recorded for {key()}, and {MARGIN:.1%} more "
                  f"would pass. {MAY_RECORD}")

    def test_a_service_without_io(self):
        subprocess.run([*callgrind(self.folder, "--toggle-collect=counted_*"), os.environ["PAIRPORT_HANDLE_PROBE"]],
                       stderr=subprocess.DEVNULL, check=True)
        table = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", f"{self.folder}/out"],
                               capture_output=True, text=True, check=True).stdout
        counts = {name: round(int(total.replace(",", "")) / REQUESTS_OF_THE_PROBE)
                  for total, name in re.findall(r"^ *([\d,]+) .*:counted_(\w+) \[", table, re.M)}
        self.assertEqual(sorted(counts), ["deposit", "live_code", "live_code_gzip", "live_code_while_others_wait", "unknown_code"])
        for name, count in sorted(counts.items()):
            with self.subTest(name):
                self.check(f"handle: {name.replace('_', ' ')}", lambda count=count: count)

    def run_program(self, requests):
        """Instructions of the whole program: start, a deposit, so many requests for its script on one connection, end."""
        config = "[security]\n  sandbox = false\n"
        with mock.patch.dict(os.environ, {"LD_PRELOAD": os.environ["PAIRPORT_COPYING_IS_CHEAPER"]}), \
                Pairport(config, wrapper=callgrind(self.folder)) as service:
            code = service.deposit(**GOOD)["pairing_code"]
            request = f"GET /{code} HTTP/1.1\r\nHost: 127.0.0.1:9978\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n".encode()
            with contextlib.closing(socket.create_connection(("127.0.0.1", service.port), timeout=60)) as client, \
                    client.makefile("rb") as answers:
                for _ in range(requests):
                    client.sendall(request)
                    self.assertEqual(answers.readline(), b"HTTP/1.1 200 OK\r\n")
                    length = 0
                    while (line := answers.readline()) != b"\r\n":
                        if line.startswith(b"Content-Length: "):
                            length = int(line.split()[1])
                    self.assertEqual(len(answers.read(length)), length)
        return total_of(f"{self.folder}/out")

    def test_the_whole_program(self):
        # The same number of trials of either way to send in each period of the chooser: 64 requests.
        few, many = 128, 448
        self.check("whole program: live code", lambda: round((self.run_program(many) - self.run_program(few)) / (many - few)))


if __name__ == "__main__":
    runner.run()
