# SPDX-License-Identifier: MIT
"""The Linux scripts in a container without an init system: PID 1 is a program that starts nothing and reaps nothing."""

import subprocess

from system_test import CONF, UPDATE, SystemTest, client_archive


class NoInit(SystemTest):
    init = "none"

    def test_from_deposit_to_removal(self):
        machine = self.machine()
        before = machine.snapshot()
        said = self.install(machine)
        self.assertIn("exec /usr/local/bin/rport -c " + CONF, said)  # nothing else will start it again
        first = self.assertConnected(machine)
        other = ("connected", "client-2", "other 'word'")
        self.install(machine, ["-x"], deposit=other)
        self.assertNotEqual(self.assertConnected(machine, *other[1:]), first)
        self.uninstall(machine)
        self.assertGone(machine, before)

    def test_the_printed_command_runs_the_client_in_the_foreground(self):
        machine = self.machine()
        before = machine.snapshot()
        said = self.install(machine, ["-N"])
        self.assertEqual(machine.processes("rport"), {})
        command = next(line for line in said.splitlines() if CONF in line and "su " in line)
        command = command[command.index("su "):]
        with subprocess.Popen(machine.command(["sh", "-c", command]), stdin=subprocess.DEVNULL) as foreground:
            self.becomes(machine, f"this does not run the client: {command}")
            self.assertConnected(machine)
            self.assertIsNone(foreground.poll())
            for pid in machine.processes("rport"):
                machine.call(["kill", str(pid)])
            foreground.wait(30)
        self.exits(machine, machine.run(self.script(), ["-u"]), 0)
        self.assertGone(machine, before)

    def test_wrong_credentials(self):
        machine = self.machine()
        said = self.install(machine, code=4, deposit=("refused",))
        self.assertIn("Authentication failed", said)
        self.assertEqual(machine.processes("rport"), {})

    def test_update_and_the_way_back(self):
        machine = self.machine()
        before = machine.snapshot()
        self.install(machine)
        self.update(machine, ["-v", "0.9.15"])
        self.assertConnected(machine, version="0.9.15")
        for play in ("silent", "crash"):
            with self.subTest(play=play):
                said = self.update(machine, ["-z", self.serve(f"/{play}.tar.gz", client_archive("0.9.16", play))], code=4)
                self.assertIn("put back and is connected", said)
                self.assertConnected(machine, version="0.9.15")
        self.exits(machine, machine.run(self.fixed("update"), ["-u"], name=UPDATE), 0)
        self.assertGone(machine, before)


if __name__ == "__main__":
    import runner
    runner.run()
