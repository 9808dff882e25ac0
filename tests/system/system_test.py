# SPDX-License-Identifier: MIT
"""What the system tests share: the real service, a web server with packages, and a machine to be an administrator of."""

import contextlib
import json
import pathlib
import sys
import time
import tomllib
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "installers"), str(HERE.parent / "support")]

import roots  # noqa: E402
from machine import Machine, unavailable  # noqa: E402
from pairport_process import Pairport  # noqa: E402
from support import ARCHIVE, EXAMPLE, FINGERPRINT, Web, client_archive, configuration  # noqa: E402

# The tests import these from here.
__all__ = ["EXAMPLE", "client_archive", "roots"]

CONF = "/etc/rport/rport.conf"
LOG = "/var/log/rport/rport.log"
PATIENT = {"RPORT_INSTALLER_WAIT": "30"}  # it ends as soon as the client has connected or was refused
QUICK = {"RPORT_INSTALLER_WAIT": "5"}
UPDATE = "/tmp/rport-update.sh"
ID = "it's \"$(touch /tmp/canary)\" \\ `touch /tmp/canary`&/|; 😀"
PASSWORD = " 'leading and: trailing' \\\" $(touch /tmp/canary) {{password}} 😀 "


def _wait(code):
    return QUICK if code == 4 else PATIENT


class SystemTest(unittest.TestCase):
    """`machine()` boots one with `init`; every test has the same two servers on 127.0.0.1."""

    init = "systemd"
    extra = ""

    def setUp(self):
        # Here and not for the class, so that a skipped test is counted as one.
        reason = unavailable(self.init)
        if reason:
            self.skipTest(f"SKIPPED: no machine can be booted here ({self.init}): {reason}")
        if "servers" not in vars(type(self)):
            stack = contextlib.ExitStack()
            type(self).addClassCleanup(stack.close)
            web = stack.enter_context(Web(self.packages()))
            service = stack.enter_context(Pairport(configuration(web.url, self.extra)))
            type(self).servers = web, service
        self.web, self.service = self.servers

    @classmethod
    def packages(cls):
        return {"/" + ARCHIVE.format(version): client_archive(version) for version in ("0.9.14", "0.9.15")}

    def machine(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        return stack.enter_context(Machine(self.init))

    def serve(self, path, content):
        self.addCleanup(self.web.files.pop, path, None)
        self.web.files[path] = content
        return self.web.url + path

    # The scripts, as the service serves them.

    def deposit(self, play="connected", client_id=ID, password=PASSWORD):
        return self.service.deposit(connect_url=f"{self.web.url}/{play}", fingerprint=FINGERPRINT, client_id=client_id, password=password)

    def script(self, *deposit):
        status, _, body = self.service.get("/" + self.deposit(*deposit)["pairing_code"])
        self.assertEqual(status, 200)
        return body

    def fixed(self, name):
        status, _, body = self.service.get("/" + name)
        self.assertEqual(status, 200)
        return body

    def install(self, machine, args=(), code=0, deposit=()):
        return self.exits(machine, machine.run(self.script(*deposit), args, _wait(code)), code)

    def update(self, machine, args=(), code=0):
        return self.exits(machine, machine.run(self.fixed("update"), args, _wait(code), UPDATE), code)

    def uninstall(self, machine, args=()):
        return self.exits(machine, machine.run(self.fixed("uninstall"), args, name="/tmp/rport-uninstall.sh"), 0)

    # What is true afterwards.

    def exits(self, machine, result, code):
        said = result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace")
        self.assertEqual(result.returncode, code, "\n" + said + "\n" + self.log(machine))
        for secret in (ID, PASSWORD):
            self.assertNotIn(secret, said)
        self.assertFalse(machine.exists("/tmp/canary"))
        return said

    def text(self, machine, path):
        return machine.read(path).decode(errors="replace") if machine.exists(path) else f"(no {path})"

    def log(self, machine):
        return self.text(machine, LOG)

    def assertConnected(self, machine, client_id=ID, password=PASSWORD, version="0.9.14"):
        """One client runs, as its user, and has read the credentials byte for byte."""
        config = tomllib.loads(machine.read(CONF).decode())
        record = json.loads(machine.read("/var/lib/rport/stand-in.json"))
        self.assertEqual((config["client"]["auth"], config["client"]["fingerprint"]), (f"{client_id}:{password}", FINGERPRINT))
        self.assertEqual((record["auth"], record["fingerprint"], record["version"]), (f"{client_id}:{password}", FINGERPRINT, version))
        self.assertIn(self.web.url, config["client"]["server"])
        self.assertEqual(record["server"], config["client"]["server"])
        processes = machine.processes("rport")
        self.assertEqual(len(processes), 1, processes)
        user = machine.user("rport")
        self.assertNotIn(user, (None, 0))
        self.assertEqual(list(processes.values()), [user])
        self.assertIn("Connected to", self.log(machine).rsplit("Connecting to", 1)[-1])
        return list(processes)[0]

    def becomes(self, machine, otherwise, condition=lambda: True, seconds=30):
        """Waits for the one client to have connected, and for the condition."""
        deadline = time.monotonic() + seconds
        while len(machine.processes("rport")) != 1 or "Connected to" not in self.log(machine).rsplit("Connecting to", 1)[-1] or not condition():
            if time.monotonic() > deadline:
                self.fail(otherwise + ":\n" + machine.output() + self.log(machine))
            time.sleep(0.1)

    def reboot(self, machine):
        """Until the client has connected again, by itself."""
        seen = len(self.log(machine))
        machine.reboot()
        self.becomes(machine, "the client does not start with the machine", lambda: "Connected to" in self.log(machine)[seen:])

    def assertService(self, machine):
        self.assertTrue(machine.active(), "the service is not active")
        self.assertTrue(machine.enabled(), "the service does not start with the machine")

    def assertGone(self, machine, before):
        self.assertEqual(machine.changes(before), {})
        self.assertEqual(machine.processes("rport"), {})
        self.assertIsNone(machine.user("rport"))
        if self.init != "none":
            self.assertFalse(machine.active() or machine.enabled())


class Lifecycle:
    """The life of a client from the archive, the same under each init system."""

    def test_from_deposit_over_reboot_to_removal(self):
        machine = self.machine()
        before = machine.snapshot()
        self.install(machine)
        first = self.assertConnected(machine)
        self.assertService(machine)
        self.assertEqual(machine.owner(CONF)[0::2], (0, 0o640))

        self.reboot(machine)
        self.assertService(machine)

        # A second run pairs with other credentials, in the running service.
        first = self.assertConnected(machine)
        other = ("connected", "client-2", "other 'word'")
        self.install(machine, ["-x"], deposit=other)
        self.assertNotEqual(self.assertConnected(machine, *other[1:]), first)
        self.assertService(machine)

        self.uninstall(machine)
        self.assertGone(machine, before)

    def test_wrong_credentials(self):
        machine = self.machine()
        before = machine.snapshot()
        said = self.install(machine, code=4, deposit=("refused",))
        self.assertIn("Authentication failed", said)
        self.assertEqual(machine.processes("rport"), {})  # else the server bans the address
        self.assertFalse(machine.active())
        # The right ones repair it.
        self.install(machine)
        self.assertConnected(machine)
        self.assertService(machine)
        self.exits(machine, machine.run(self.script(), ["-u"]), 0)
        self.assertGone(machine, before)

    def test_update_and_the_way_back(self):
        machine = self.machine()
        before = machine.snapshot()
        self.install(machine)
        self.update(machine, ["-v", "0.9.15"])
        running = self.assertConnected(machine, version="0.9.15")
        self.assertService(machine)
        for play in ("silent", "crash"):
            with self.subTest(play=play):
                url = self.serve(f"/{play}.tar.gz", client_archive("0.9.16", play))
                said = self.update(machine, ["-z", url], code=4)
                self.assertIn("put back and is connected", said)
                self.assertNotEqual(self.assertConnected(machine, version="0.9.15"), running)
                self.assertService(machine)
        self.uninstall(machine)
        self.assertGone(machine, before)
