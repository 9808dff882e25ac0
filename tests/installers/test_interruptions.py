# SPDX-License-Identifier: MIT
"""From the moment the client may be stopped, nothing keeps it from running again.

A script may run in a session whose terminal is carried by a tunnel of the very client that it restarts: stopping the client
ends the terminal, which hangs up the script. The same must hold for ^C, a signal to everything that belongs to the script,
and a reader of its output that is gone.
"""

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import select
import signal
import subprocess
import termios
import time
import unittest

import support
from support import LONG

WAIT = {"RPORT_INSTALLER_WAIT": "8"}
ONCE_MORE = ("connected", "client-2", "word-2-new")


class Session:
    """A command of the root, as leader of a session with a terminal, or with a pipe as its output."""

    def __init__(self, root, command, teller="bash", pipe=False):
        self.root = root
        self.text = b""
        self.master, slave = os.openpty()
        self.reader = self.master
        out = slave
        if pipe:
            self.reader, out = os.pipe()

        def lead():
            os.setsid()
            # A shell keeps ignoring what it finds ignored, as of a test that was started with "&".
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGQUIT, signal.SIG_DFL)
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        # ^C reaches everything in the foreground. The leader of the session must outlive it, since the terminal goes with it;
        # the inner shell tells how the script ended.
        lives = 'trap : INT; "$@"; '
        command = root.command([teller, "-c", lives + 'echo "exit code $?"', "tell", *command], WAIT)
        self.process = subprocess.Popen(["bash", "-c", lives + "while sleep 1; do :; done", "leader", *command], stdin=slave, stdout=out,
                                        stderr=out, preexec_fn=lead)
        os.close(slave)
        if pipe:
            os.close(out)

    def read(self, seconds):
        with contextlib.suppress(OSError):
            if select.select([self.reader], [], [], seconds)[0]:
                self.text += os.read(self.reader, 65536)

    def until(self, what, condition):
        deadline = time.monotonic() + 90
        while not condition():
            self.read(0.005)
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{what}: exit {self.process.poll()}, {self.text.decode()}")

    def hang_up(self):
        """The end of the terminal."""
        for file in {self.master, self.reader}:
            with contextlib.suppress(OSError):
                os.close(file)
        self.master = self.reader = -1

    def end(self):
        """Until the script has ended, as far as that can be seen."""
        deadline = time.monotonic() + 60
        while self.reader >= 0 and b"exit code" not in self.text and time.monotonic() < deadline:
            self.read(0.05)
        if self.reader >= 0:
            self.hang_up()


def ignored(pid):
    """Numbers of the signals that a process ignores."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            mask = int(line.split()[1], 16)
            return {number for number in range(1, 65) if mask >> (number - 1) & 1}
    raise AssertionError(line)


class Interruptions(support.InstallerTest):
    def strike(self, what, session):
        if what == "terminal":
            session.hang_up()
        elif what == "reader":
            os.close(session.reader)
            session.reader = -1
        elif what == "^C":
            os.write(session.master, b"\x03")
        else:
            for name in ("sh", "sleep"):
                for pid in session.root.processes(name):
                    if pid != session.root.init and pid not in (session.process.pid,):
                        with contextlib.suppress(OSError):
                            os.kill(pid, getattr(signal, "SIG" + what))

    def survives(self, what, step, job="update", shell=support.SHELLS[0], kind="host"):
        with self.paired(kind) as root:
            old = root.processes("rport")
            self.assertEqual(len(old), 1)
            if job == "update":
                script, name, args = self.fixed("update"), "/tmp/rport-update.sh", ["-v", "0.9.15"]
            else:
                script, name, args = self.script(*ONCE_MORE), "/tmp/rport-installer.sh", []
            root.write(name, script, 0o600)
            session = Session(root, [root.shell(shell), name, *args], "/bin/sh" if kind == "busybox" else "bash", what == "reader")
            session.until("no restart", lambda: b"start the client and wait" in session.text)
            if step != "announced":
                session.until("no stop", lambda: old[0] not in root.processes("rport"))
            if step == "started":
                session.until("no start", lambda: len(root.processes("rport")) == 1)
            self.strike(what, session)
            session.end()
            self.addCleanup(session.process.wait)
            self.addCleanup(session.process.kill)
            deadline = time.monotonic() + 90
            while time.monotonic() < deadline and [n for n in root.path("/tmp").iterdir() if n.name.startswith("rport.")]:
                time.sleep(0.05)
            record = json.loads(root.read("/var/lib/rport/stand-in.json"))
            running = root.processes("rport")
            report = f"/var/log/rport-{'update' if job == 'update' else 'installer'}.log"
            self.assertEqual(len(running), 1, session.text.decode())
            self.assertNotIn(signal.SIGTERM, ignored(running[0]))
            self.assertNotIn(signal.SIGPIPE, ignored(running[0]))
            if running == old:  # it was early enough to end all, and all was undone
                self.assertEqual(step, "announced")
                self.assertEqual((record["version"], record["auth"]), ("0.9.14", f"{support.ID}:{support.PASSWORD}"))
                self.assertEqual(root.read("/usr/local/bin/rport"), support.client())
                self.assertNotIn(b"client-2", root.read("/etc/rport/rport.conf"))
                return
            self.assertIn("onnected", root.read(report).decode())
            self.assertNotIn(b"word-2-new", root.read(report) + session.text)
            self.assertEqual(root.owner(report), (0, 0, 0o600))
            if job == "update":
                self.assertEqual(record["version"], "0.9.15")
            else:
                self.assertEqual(record["auth"], "client-2:word-2-new")
            if what in ("^C", "TERM", "INT"):
                self.assertIn(b"exit code 130", session.text)
                self.assertIn(b"The client runs", session.text)
                self.assertIn(report.encode(), session.text)

    @support.essential
    def test_the_terminal_dies_with_the_client(self):
        self.side_by_side(self.survives, [("terminal", "stopped", "pairing"),
                                          *(("terminal", "stopped", "update", support.SHELLS[0], kind) for kind in support.KINDS)])

    @support.essential
    def test_interrupted_by_the_administrator(self):
        self.side_by_side(self.survives, [("^C", "started"), ("^C", "stopped", "pairing", "busybox" if support.TOOLS == "busybox" else "bash")])

    def test_a_signal_to_all_of_it(self):
        self.side_by_side(self.survives, [("TERM", "stopped"), ("HUP", "announced", "pairing")])

    def test_nobody_reads_the_output(self):
        self.survives("reader", "announced")

    def removed(self, what, script="uninstall", args=(), inside=False):
        """Uninstalling is not left half-way either. `inside`: by a process of the client's name, as a command of the server is."""
        with self.paired() as root:
            old = root.processes("rport")
            name = f"/tmp/rport-{script}.sh"
            root.write(name, self.script() if script == "installer" else self.fixed(script), 0o600)
            shell = root.shell(support.SHELLS[0])
            if inside:
                root.call(["cp", "/bin/dash", "/tmp/rport"])
                shell = "/tmp/rport"
            session = Session(root, [shell, name, *args])
            session.until("no stop", lambda: old[0] not in root.processes("rport"))
            self.strike(what, session)
            session.end()
            self.addCleanup(session.process.wait)
            self.addCleanup(session.process.kill)
            report = "/var/log/rport-uninstall.log"
            support.wait_for(lambda: root.exists(report) and b"has been removed" in root.read(report), 90)
            self.assertEqual(set(root.changes(root.bare)), {report}, session.text.decode())
            support.wait_for(lambda: root.processes("rport") == [])
            support.wait_for(lambda: not list(root.path("/tmp").glob("rport.*")))
            if inside:
                self.assertIn(b"it goes on in the background; see " + report.encode(), session.text)
            elif what == "^C":
                self.assertIn(b"exit code 130", session.text)
                self.assertIn(report.encode(), session.text)
            # The next one tidies up, though nothing is left to remove.
            self.assertExit(root.run(self.fixed("uninstall")), 0)

    @support.essential
    def test_uninstall_goes_on_without_its_terminal(self):
        self.side_by_side(self.removed, [("terminal",), ("^C",), ("terminal", "update", ["-u"])])

    @support.essential
    def test_uninstall_goes_on_without_the_client_that_runs_it(self):
        """And without the terminal, which ends with the client, too."""
        self.side_by_side(self.removed, [("terminal", "uninstall", [], True), ("terminal", "update", ["-u"], True),
                                         ("terminal", "installer", ["-u"], True)])

    @unittest.skipUnless(LONG, "SKIPPED: each signal at each step takes 3 minutes (PAIRPORT_LONG=1)")
    def test_each_signal_at_each_step(self):
        self.side_by_side(self.survives, itertools.product(("terminal", "reader", "^C", "TERM", "HUP", "INT", "PIPE"),
                                                           ("announced", "stopped", "started"), ("update", "pairing")))
        self.side_by_side(self.survives, [(what, "stopped", "update", shell) for shell in support.SHELLS for what in ("terminal", "^C")])


if __name__ == "__main__":
    support.main(processes=2)
