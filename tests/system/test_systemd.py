# SPDX-License-Identifier: MIT
"""The Linux scripts on a machine whose services are started by systemd."""

import tomllib

from system_test import CONF, PATIENT, UPDATE, Lifecycle, SystemTest, client_archive
from test_interruptions import Session


class Systemd(Lifecycle, SystemTest):
    init = "systemd"

    def test_the_lines_for_the_administrator_with_every_setting(self):
        """What a user interface shows is pasted, with options appended; sudo is the real one."""
        machine = self.machine()
        before = machine.snapshot()
        lines = self.deposit()["installers"]["linux"]
        self.assertIn("sudo", lines)
        self.exits(machine, machine.call(["sh", "-c", f"cd /tmp && {lines} -x -s -r -b -g 'tag \"1\"'"], PATIENT), 0)
        self.assertConnected(machine)
        self.assertService(machine)
        config = tomllib.loads(machine.read(CONF).decode())
        self.assertTrue(config["remote-scripts"]["enabled"] and config["file-reception"]["enabled"])
        # sudo really lets the client's user do what was asked for.
        self.assertEqual(machine.call(["setpriv", "--reuid=rport", "--regid=rport", "--init-groups", "sudo", "-n", "id", "-u"]).stdout, b"0\n")
        self.uninstall(machine)
        self.assertEqual(machine.call(["visudo", "-c"]).returncode, 0)
        self.assertGone(machine, before)

    def test_another_user(self):
        machine = self.machine()
        before = machine.snapshot()
        self.install(machine, ["-a", "agent"])
        self.assertEqual(list(machine.processes("rport").values()), [machine.user("agent")])
        self.assertIsNone(machine.user("rport"))
        self.assertService(machine)
        self.uninstall(machine)
        self.assertIsNone(machine.user("agent"))
        self.assertGone(machine, before)

    def test_update_from_within_the_client(self):
        """Stopping the service kills everything in its control group, except for an update that has left it in time."""
        machine = self.machine()
        self.install(machine)
        machine.write(UPDATE, self.fixed("update"), 0o600)
        machine.call(["cp", "/bin/dash", "/tmp/rport"])  # the name tells the script who runs it
        result = machine.call(["sh", "-c", "echo $$ >/sys/fs/cgroup/system.slice/rport.service/cgroup.procs && "
                               f"grep -q /rport.service /proc/self/cgroup && /tmp/rport {UPDATE} -v 0.9.15; sleep 60"], PATIENT)
        self.assertNotEqual(result.returncode, 0)  # killed before its sleep was over
        self.assertIn(b"background", result.stdout)
        self.becomes(machine, "no update after the client was stopped", lambda: "(was 0.9.14)" in self.text(machine, "/var/log/rport-update.log"))
        self.assertConnected(machine, version="0.9.15")
        self.assertService(machine)

    def test_the_terminal_dies_with_the_client(self):
        """A session that goes through a tunnel of the client: its stop is the end of the terminal, and of nothing else."""
        machine = self.machine()
        self.install(machine)
        pairing = ("client-2", "other 'word'")
        for name, script, args, report, expected in (
                (UPDATE, self.fixed("update"), ["-v", "0.9.15"], "/var/log/rport-update.log", {"version": "0.9.15"}),
                ("/tmp/rport-installer.sh", self.script("connected", *pairing), ["-V", "0.9.15"], "/var/log/rport-installer.log",
                 {"version": "0.9.15", "client_id": pairing[0], "password": pairing[1]})):
            with self.subTest(name=name):
                old = list(machine.processes("rport"))[0]
                machine.write(name, script, 0o600)
                session = Session(machine, ["sh", name, *args])
                self.addCleanup(session.process.wait)
                self.addCleanup(session.process.kill)
                session.until("the client is not stopped", lambda old=old: not machine.exists(f"/proc/{old}"))
                session.hang_up()
                self.becomes(machine, "the client does not run any more",
                             lambda report=report: "onnected" in self.text(machine, report) and
                             not list(machine.path("/tmp").glob("rport.*")))
                self.assertConnected(machine, **expected)
                self.assertService(machine)
                self.assertNotIn(b"exit code", session.text)  # it did not end before its terminal

    def test_a_unit_that_was_disabled_by_hand_is_repaired(self):
        machine = self.machine()
        self.install(machine)
        machine.call(["systemctl", "disable", "--now", "rport"])
        self.assertFalse(machine.active() or machine.enabled())
        self.install(machine)
        self.assertConnected(machine)
        self.assertService(machine)

    def test_a_client_that_crashes_is_reported(self):
        machine = self.machine()
        said = self.install(machine, ["-z", self.serve("/crash.tar.gz", client_archive("0.9.14", "crash"))], code=4)
        self.assertIn("not connected", said)
        self.install(machine, ["-f"])
        self.assertConnected(machine)
        self.assertService(machine)


if __name__ == "__main__":
    import runner
    runner.run()
