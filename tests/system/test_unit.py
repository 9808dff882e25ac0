# SPDX-License-Identifier: MIT
"""The systemd unit of packaging/: the service starts under it, with all its restrictions, serves, and stops cleanly."""

import ctypes
import pathlib
import re
import subprocess
import unittest
import urllib.request

import runner
from machine import Machine, unavailable
from pairport_process import ROOT, binary

CONFIG = """
[server]
  address = "127.0.0.1:0"
[static-deposit]
  code = "0000000"
  connect_url = "http://rport.example.com:8080"
  fingerprint = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
  client_id = "client1"
  password = "foobaz"
"""


class Unit(unittest.TestCase):
    def setUp(self):
        if reason := unavailable("systemd"):
            self.skipTest(f"SKIPPED: no machine can be booted here: {reason}")

    def test_the_service_runs_under_the_unit(self):
        # Of Landlock's system calls nspawn allows none.
        with Machine("systemd", ["--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self"]) as machine:
            machine.write("/usr/local/bin/pairport", pathlib.Path(binary()).read_bytes(), 0o755)
            # The root has none of its libraries.
            libraries = subprocess.run(["ldd", binary()], capture_output=True, text=True, check=True).stdout
            for path in re.findall(r"=> (/\S+)", libraries):
                machine.write("/usr/local/lib/pairport/" + pathlib.Path(path).name, pathlib.Path(path).read_bytes(), 0o755)
            machine.write("/etc/ld.so.conf.d/pairport.conf", b"/usr/local/lib/pairport\n")
            machine.write("/etc/rport/rport-pairing.conf", CONFIG.encode())
            machine.write("/etc/systemd/system/pairport.service", (ROOT / "packaging" / "pairport.service").read_bytes())
            machine.call(["ldconfig"])
            machine.call(["systemctl", "daemon-reload"])
            started = machine.call(["systemctl", "start", "pairport"])
            self.assertEqual(started.returncode, 0, started.stderr)

            log = ""
            for _ in range(100):
                log = machine.call(["journalctl", "-u", "pairport", "-o", "cat", "--no-pager"]).stdout.decode()
                if "listening on" in log or "error" in log:
                    break
                machine.call(["sleep", "0.2"])
            self.assertIn("listening on", log)
            # nspawn itself forbids to lock memory, so which level it is says nothing about the unit.
            self.assertRegex(log, r"memory for credentials: \w+")
            # The unit leaves the service the system calls that it restricts itself with.
            self.assertIn("no_new_privs: in force", log)
            self.assertIn("seccomp: in force", log)
            if ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0:  # landlock_create_ruleset: the kernel's ABI
                self.assertIn("landlock: in force", log)
            url = re.search(r"listening on (\S+)", log).group(1)
            with urllib.request.urlopen(url + "/0000000", timeout=20) as answer:
                self.assertIn(b"PASSWORD='foobaz'", answer.read())
            self.assertNotIn("root", set(machine.call(["ps", "-o", "user=", "-C", "pairport"]).stdout.decode().split()))

            machine.call(["systemctl", "stop", "pairport"])
            state = machine.call(["systemctl", "show", "-p", "Result", "-p", "ExecMainStatus", "pairport"]).stdout.decode()
            self.assertIn("Result=success", state)
            self.assertIn("ExecMainStatus=0", state)


if __name__ == "__main__":
    runner.run()
