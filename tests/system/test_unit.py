# SPDX-License-Identifier: MIT
"""The systemd unit of packaging/: the service starts under it, with all its restrictions, serves, and stops cleanly."""

import ctypes
import pathlib
import re
import socket
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
            self.waits_for_an_address(machine)
            self.closes_the_folder_of_its_socket(machine)

    def show(self, machine, *properties):
        """What systemd says of the unit."""
        options = [option for name in properties for option in ("-p", name)]
        text = machine.call(["systemctl", "show", *options, "pairport"]).stdout.decode()
        return dict(line.split("=", 1) for line in text.splitlines())

    def until(self, machine, condition):
        for _ in range(150):
            if condition():
                return
            machine.call(["sleep", "0.2"])
        self.fail(machine.call(["journalctl", "-u", "pairport", "-o", "cat", "--no-pager", "-n", "30"]).stdout.decode())

    def waits_for_an_address(self, machine):
        """While a machine boots: five failures are not the end (DefaultStartLimitBurst=), however fast they come."""
        unit = (ROOT / "packaging" / "pairport.service").read_text(encoding="utf-8")
        self.assertRegex(unit, r"(?m)^RestartSec=2$")
        machine.write("/etc/systemd/system/pairport.service.d/fast.conf", b"[Service]\nRestartSec=50ms\n")
        machine.call(["systemctl", "daemon-reload"])
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            machine.write("/etc/rport/rport-pairing.conf", CONFIG.replace('"127.0.0.1:0"', f'"127.0.0.1:{port}"').encode())
            machine.call(["systemctl", "start", "pairport"])
            self.until(machine, lambda: int(self.show(machine, "NRestarts")["NRestarts"]) > 7)
        self.until(machine, lambda: self.answers(f"http://127.0.0.1:{port}/0000000"))
        machine.call(["systemctl", "stop", "pairport"])

    @staticmethod
    def answers(url):
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.status == 200
        except OSError:
            return False

    def closes_the_folder_of_its_socket(self, machine):
        """Whoever reaches the socket is believed as a proxy: the service's group alone."""
        machine.write("/etc/systemd/system/pairport.service.d/group.conf", b"[Service]\nGroup=daemon\n")
        machine.call(["systemctl", "daemon-reload"])
        machine.write("/etc/rport/rport-pairing.conf", b'[server]\naddress = "unix:/run/pairport/pairport.sock"\n'
                      b'url = "https://p.example.com"\ntrusted_proxies = ["unix"]\n')
        machine.call(["systemctl", "start", "pairport"])
        self.until(machine, lambda: machine.call(["test", "-S", "/run/pairport/pairport.sock"]).returncode == 0)
        folder = machine.call(["stat", "-L", "-c", "%a %G", "/run/pairport"]).stdout.decode()
        self.assertEqual(folder, "750 daemon\n")
        log = machine.call(["journalctl", "-u", "pairport", "-o", "cat", "--no-pager"]).stdout.decode()
        self.assertNotIn("every user of this machine can connect", log)
        machine.call(["systemctl", "stop", "pairport"])


if __name__ == "__main__":
    runner.run()
