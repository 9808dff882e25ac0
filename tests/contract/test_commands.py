# SPDX-License-Identifier: MIT
"""The commands of an answer to a deposit, pasted into real shells: they run the script of a live code, and after any failure
they run nothing, also no file of that name which is there already. Each tool comes from where the test says: curl, GNU wget,
wget2 or BusyBox, gzip or BusyBox."""

import gzip
import http.server
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
import unittest

from pairport_process import Pairport

GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24",
        "client_id": "client1", "password": "foobaz"}
NO_LIMITS = "[limits]\n  deposits_per_second = 0\n  misses_per_second = 0\n"
SHELLS = ("dash", "bash", "busybox ash", "zsh -f", "mksh", "yash")
LONG = os.environ.get("PAIRPORT_LONG") == "1"
ADVICE = "Download failed. The pairing code is unknown or expired"


class Cut(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the first `size` bytes of `content`. With `honest` the answer does not say how many there should
    be, so that no client can tell that some are missing."""

    content, size, honest = b"", 0, False

    def do_GET(self):
        self.send_response(200)
        if not self.honest:
            self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content[:self.size])

    def log_message(self, *_):
        pass


class Machine:
    """Where a command is pasted: a PATH with these tools only, a folder for temporary files, and a working folder in which
    somebody has put a script of that name."""

    def __init__(self, tools=("curl", "gzip", "sudo"), busybox=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pairport-commands-"))
        self.bin, self.temporary, self.here = (self.folder / name for name in ("bin", "tmp", "here"))
        for path in (self.bin, self.temporary, self.here):
            path.mkdir()
        for tool in ("sh", "mktemp", "rm", "cat", *tools):
            if tool == "sudo":  # not the host's: nothing here may become root
                self.program("sudo", ': >"$TMPDIR/sudo"\nexec "$@"\n')
            else:
                (self.bin / tool).symlink_to(shutil.which("busybox" if tool in busybox else tool))
        self.evil = self.here / "rport-installer.sh"
        self.evil.write_text("echo EVIL\n", encoding="ascii")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def program(self, name, text):
        path = self.bin / name
        path.write_text("#!/bin/sh\n" + text, encoding="ascii")
        path.chmod(0o755)

    def run(self, shell, text, prefix=(), **environment):
        return subprocess.run([*prefix, *program(shell), "-c", text], cwd=self.here, capture_output=True, text=True,
                              env={"PATH": str(self.bin), "TMPDIR": str(self.temporary), "HOME": str(self.here), **environment},
                              stdin=subprocess.DEVNULL, timeout=120)

    def fetched(self):
        return [path for path in self.temporary.rglob("rport-installer*")]


def matrix(rows):
    """Pairs of a shell and a row: all of them in a long run, else all rows in the first shell and the first one in the others."""
    for i, shell in enumerate(shells()):
        for j, row in enumerate(rows):
            if LONG or i == 0 or j == 0:
                yield shell, row


def without_times(script):
    """Of two answers for one code: their times may differ by the second in which they were made."""
    return re.sub(rb"(?m)^# made .*$", b"", script)


def program(shell):
    name, *arguments = shell.split()
    return [shutil.which(name), *arguments]


def shells():
    return [shell for shell in SHELLS if shutil.which(shell.split()[0])]


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Pairport(NO_LIMITS).__enter__()
        cls.addClassCleanup(cls.service.__exit__)
        answer = cls.service.deposit(**GOOD)
        cls.code, cls.commands = answer["pairing_code"], answer["installers"]
        cls.packed = cls.service.get("/" + cls.code + ".sh.gz")[2]
        cls.web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Cut)
        threading.Thread(target=cls.web.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.web.server_close)
        cls.addClassCleanup(cls.web.shutdown)

    def cut(self, command, content, size, honest=False):
        """The command, with a server in the service's place that sends this much of `content`."""
        Cut.content, Cut.size, Cut.honest = content, size, honest
        return command.replace(self.service.url, f"http://127.0.0.1:{self.web.server_port}")

    def dead(self, command):
        return command.replace(self.code, "1234567")

    def assertNothingRan(self, machine, result, why, advice=ADVICE):
        said = f"{why}\n{result.stdout}\n{result.stderr}"
        self.assertNotEqual(result.returncode, 0, said)
        self.assertEqual(result.stdout, "", said)
        self.assertEqual(machine.fetched(), [], said)
        self.assertIn(advice, result.stderr, said)

    def test_each_command_runs_the_script_with_options_appended(self):
        for name, tools, busybox in (("linux", ("curl", "gzip"), ()), ("linux", ("curl", "gzip"), ("gzip", "mktemp", "rm")),
                                     ("linux_oneline", ("curl", "gzip"), ()), ("linux_wget", ("wget", "gzip"), ()),
                                     ("linux_wget", ("wget", "gzip"), ("wget", "gzip", "mktemp", "rm"))):
            for shell in shells() if LONG or not busybox else ("dash", "busybox ash"):
                with self.subTest(name, shell=shell, busybox=busybox), Machine((*tools, "sudo"), busybox) as machine:
                    good = machine.run(shell, self.commands[name] + " -h")
                    self.assertEqual(good.returncode, 0, good.stderr)
                    self.assertIn("Usage: sh rport-installer.sh", good.stdout)
                    self.assertTrue((machine.temporary / "sudo").exists())
                    script, = machine.fetched()
                    self.assertEqual(script.name, "rport-installer.sh", "the packed file is gone")
                    self.assertEqual(script.parent.stat().st_mode & 0o777, 0o700, "credentials are nobody else's business")
                    self.assertEqual(without_times(script.read_bytes()), without_times(gzip.decompress(self.packed)))

    def test_the_end_of_the_script_is_that_of_the_command(self):
        for shell, name in matrix(("linux", "linux_oneline")):
            with self.subTest(name, shell=shell), Machine() as machine:
                result = machine.run(shell, self.commands[name] + " -y")
                self.assertEqual(result.returncode, 1, result.stderr)
                self.assertIn("Usage: sh rport-installer.sh", result.stderr)

    def test_an_unknown_code_runs_nothing(self):
        for shell, (name, tools, busybox) in matrix((("linux", ("curl", "gzip"), ()), ("linux_oneline", ("curl", "gzip"), ()),
                                                     ("linux_wget", ("wget", "gzip"), ()),
                                                     ("linux_wget", ("wget", "gzip"), ("wget", "gzip")))):
            with self.subTest(name, shell=shell, busybox=busybox), Machine((*tools, "sudo"), busybox) as machine:
                self.assertNothingRan(machine, machine.run(shell, self.dead(self.commands[name])), (name, shell))

    @unittest.skipUnless(shutil.which("wget2"), "no wget2 on this machine")
    def test_wget2(self):
        for shell in shells() if LONG else ("dash",):
            with Machine(("gzip", "sudo")) as machine:
                (machine.bin / "wget").symlink_to(shutil.which("wget2"))
                good = machine.run(shell, self.commands["linux_wget"] + " -h")
                self.assertIn("Usage: sh rport-installer.sh", good.stdout, good.stderr)
            with Machine(("gzip", "sudo")) as machine:
                (machine.bin / "wget").symlink_to(shutil.which("wget2"))
                dead = machine.run(shell, self.dead(self.commands["linux_wget"]))
                self.assertIn(ADVICE, dead.stderr)
                # It tells of its work on its standard output.
                self.assertNotRegex(dead.stdout, "Usage|EVIL")
                self.assertEqual(machine.fetched(), [])
                self.assertNotEqual(dead.returncode, 0)

    def test_a_download_that_is_cut_off_runs_nothing(self):
        size = len(self.packed)
        rows = [(size // 2, True, ()), (size // 2, False, ())]
        for cut in range(0, size, 97) if LONG else (0, 1, 12, size - 9, size - 1):
            rows += [(cut, True, ()), (cut, True, ("gzip",))]
        for shell, (cut, honest, busybox) in matrix(rows):
            with self.subTest(shell=shell, honest=honest, cut=cut, busybox=busybox), Machine(busybox=busybox) as machine:
                text = self.cut(self.commands["linux"], self.packed, cut, honest)
                self.assertNothingRan(machine, machine.run(shell, text), "linux")

    def test_a_cut_off_download_of_the_other_commands_runs_nothing(self):
        for name, tool, busybox in (("linux_oneline", "curl", ()), ("linux_wget", "wget", ()), ("linux_wget", "wget", ("wget", "gzip"))):
            for size in (1, len(self.packed) // 2, len(self.packed) - 1):
                with self.subTest(name, busybox=busybox, size=size), Machine((tool, "gzip", "sudo"), busybox) as machine:
                    text = self.cut(self.commands[name], self.packed, size, honest=True)
                    self.assertNothingRan(machine, machine.run("dash", text), name)

    def test_the_page_of_a_portal_runs_nothing(self):
        page = b"<html>echo EVIL\n</html>\n"
        for shell, busybox in matrix(((), ("gzip",))):
            with self.subTest(shell=shell, busybox=busybox), Machine(busybox=busybox) as machine:
                self.assertNothingRan(machine, machine.run(shell, self.cut(self.commands["linux"], page, len(page))), shell)

    def test_a_missing_tool_is_told(self):
        for shell, (name, tools) in matrix((("linux", ("curl",)), ("linux", ("gzip",)), ("linux_oneline", ("curl",)),
                                            ("linux_oneline", ("gzip",)), ("linux_wget", ("gzip",)), ("linux_wget", ("wget",)))):
            if shell == "busybox ash":  # it has a gzip and a wget of its own, whatever the PATH says
                continue
            with self.subTest(name, shell=shell, tools=tools), Machine((*tools, "sudo")) as machine:
                result = machine.run(shell, self.commands[name])
                tool = "wget" if name == "linux_wget" else "curl"
                self.assertNothingRan(machine, result, name, f"Download failed. This needs mktemp, {tool} and gzip.")
                self.assertNotIn("expired", result.stderr)

    def test_a_stale_script_is_not_run_where_no_folder_can_be_made(self):
        for shell, name in matrix(("linux", "linux_oneline")):
            with self.subTest(name, shell=shell), Machine() as machine:
                result = machine.run(shell, self.commands[name], TMPDIR=str(machine.folder / "none"))
                self.assertNotEqual(result.returncode, 0)
                self.assertEqual(result.stdout, "")
                self.assertIn(ADVICE, result.stderr)

    def test_a_full_disk_runs_nothing(self):
        if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            self.skipTest("SKIPPED: needs root and mount namespaces")
        # Room for the packed file and a part of the script, for a part of the packed file, and for nothing.
        pages = -(-len(self.packed) // 4096)
        for shell, (size, busybox) in matrix([(size, busybox) for size in (pages + 2, pages, 2, 1) for busybox in ((), ("gzip",))]):
            with self.subTest(shell=shell, size=size, busybox=busybox), Machine(busybox=busybox) as machine:
                mount = f'PATH=/usr/bin:/bin; mount -t tmpfs -o size={size * 4}k none {machine.temporary} && exec "$@"'
                result = machine.run(shell, self.commands["linux"], (shutil.which("unshare"), "-m", "/bin/sh", "-c", mount, "sh"))
                self.assertNothingRan(machine, result, shell)

    def test_one_line_for_a_shell_of_its_own(self):
        line = self.commands["linux_oneline"] + " -h"
        # Without quotes: how a program hands it over, as one argument. sshd gives what it got to a shell as one text.
        for shell, way in matrix(("ssh host '{}'", "ssh host {}", "docker exec name sh -c '{}'", "sh -c '{}'")):
            text = way.format(line if "'" in way else shlex.quote(line))
            with self.subTest(shell=shell, way=way), Machine() as machine:
                machine.program("ssh", f'shift\nexec {shlex.join(program(shell))} -c "$*"\n')
                machine.program("docker", 'shift 2\nexec "$@"\n')
                result = machine.run(shell, text)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("Usage: sh rport-installer.sh", result.stdout)
                bad = machine.run(shell, self.dead(text))
                self.assertEqual(bad.returncode, 1, bad.stderr)
                self.assertEqual(bad.stdout, "")
                self.assertIn(ADVICE, bad.stderr)

    def test_one_line_needs_no_sudo_where_there_is_none(self):
        for shell in shells():
            with self.subTest(shell=shell), Machine(("curl", "gzip")) as machine:
                result = machine.run(shell, self.commands["linux_oneline"] + " -h")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn("Usage: sh rport-installer.sh", result.stdout)

    def test_one_line_is_a_plain_scalar_of_yaml_and_a_string_of_other_tools(self):
        line = self.commands["linux_oneline"]
        self.assertEqual(len(line.splitlines()), 1)
        for text in ("'", "\\", ": ", " #", "{{", "{%", "%", "!"):  # quoting, YAML, Jinja, systemd and cron, csh
            self.assertNotIn(text, line)
        self.assertEqual(json.loads(json.dumps(line)), line)


if __name__ == "__main__":
    unittest.main(verbosity=2)
