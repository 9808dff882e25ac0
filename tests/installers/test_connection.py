# SPDX-License-Identifier: MIT
"""Connected is said of a client that is, whatever its log can tell; a pairing that does not connect gives way to the old one."""

import contextlib
import json
import tomllib
import unittest

import support
from support import AWKS, KINDS, LONG, IsolatedRoot, Web, client_archive, quick, use_awk

CONF = "/etc/rport/rport.conf"
ERRORS_ONLY = ('log_level = "info"', 'log_level = "error"')
QUICK = {"RPORT_INSTALLER_WAIT": "3"}


class Connection(support.InstallerTest):
    @contextlib.contextmanager
    def installed(self, *edit, kind="host", **deposit):
        with self.paired(kind, **deposit) as root:
            self.edit(root, *edit)
            yield root

    def edit(self, root, *edits):
        text = root.read(CONF).decode()
        for old, new in edits:
            self.assertIn(old, text)
            text = text.replace(old, new)
        root.path(CONF).write_text(text, encoding="utf-8")

    def again(self, root, code=0, script=None, args=(), command=(), **deposit):
        """Pairs again; what was said."""
        deposit.setdefault("client_id", "client-2")
        deposit.setdefault("password", "word-2-new")
        root.write("/tmp/again.sh", script or quick(self.script(**deposit)), 0o600)
        result = root.call([*command, root.shell("dash"), "/tmp/again.sh", *args], QUICK)
        self.assertExit(result, code)
        self.assertNotIn(b"word-2-new", result.stdout + result.stderr)
        return (result.stdout + result.stderr).decode()

    def update(self, root, code=0, args=("-v", "0.9.15")):
        result = root.run(quick(self.fixed("update")), args, name="/tmp/rport-update.sh", env=QUICK)
        self.assertExit(result, code)
        return (result.stdout + result.stderr).decode()

    def record(self, root):
        return json.loads(root.read("/var/lib/rport/stand-in.json"))

    def host(self, root, name, address="127.0.0.1"):
        with open(root.path("/etc/hosts"), "a", encoding="ascii") as file:
            file.write(f"{address} {name}\n")
        return self.web.url.replace("127.0.0.1", name) + "/connected"

    # What the log does not say.

    @support.essential
    def test_log_level_error(self):
        for kind in KINDS:
            with self.subTest(kind=kind), self.installed(ERRORS_ONLY, kind=kind) as root:
                before = len(root.read("/var/log/rport/rport.log"))
                self.assertIn("Connected to 127.0.0.1.", self.again(root))
                self.assertEqual(self.record(root)["auth"], "client-2:word-2-new")
                self.assertIn("is connected, version 0.9.15", self.update(root))
                self.assertNotIn(b"Connected to", root.read("/var/log/rport/rport.log")[before:])

    def test_no_log_file(self):
        with self.installed(("log_file = \"/var/log/rport/rport.log\"", 'log_file = ""')) as root:
            self.again(root)
            self.update(root)
            self.assertEqual(self.record(root)["version"], "0.9.15")

    def test_full_disk(self):
        with self.installed() as root:
            root.call(["sh", "-c", "mount -t tmpfs -o size=4k,mode=777 tmpfs /var/log/rport; cat /dev/zero >/var/log/rport/full"])
            self.update(root)
            self.assertEqual(self.record(root)["version"], "0.9.15")
            self.assertEqual(len(root.processes("rport")), 1)

    def test_an_error_before_the_connection_is_no_refusal(self):
        with self.installed(ERRORS_ONLY) as root:
            root.write("/tmp/again.sh", quick(self.script("second")), 0o600)
            result = root.call(["sh", "/tmp/again.sh"], {"RPORT_INSTALLER_WAIT": "12"})
            self.assertExit(result, 0)

    def test_a_server_that_never_answers(self):
        """A connection is held, the log can be read and does not confirm it: that is what is said."""
        with IsolatedRoot() as root:
            self.assertIn("does not confirm", self.again(root, play="hang"))

    @unittest.skipUnless(LONG, "SKIPPED: 15 seconds with the full time (PAIRPORT_LONG=1)")
    def test_log_level_error_for_the_full_time(self):
        with self.installed(ERRORS_ONLY) as root:
            self.again(root, script=self.script())

    # Where it is connected to.

    def test_by_name_and_by_address_in_ipv6(self):
        for kind in KINDS:
            with self.subTest(kind=kind), self.installed(ERRORS_ONLY, kind=kind) as root:
                self.assertIn("Connected to server.example.", self.again(root, url=self.host(root, "server.example")))
        with self.installed(ERRORS_ONLY) as root:
            self.assertIn("Connected to mapped.example.", self.again(root, url=self.host(root, "mapped.example", "::ffff:127.0.0.1")))

    def test_without_the_right_to_look_into_processes(self):
        """Root of a container lacks CAP_SYS_PTRACE: it still finds and stops the old client, and sees the connection of the new one."""
        with self.installed(ERRORS_ONLY) as root:
            old = root.processes("rport")
            self.assertIn("Connected to 127.0.0.1.", self.again(root, command=["setpriv", "--bounding-set=-sys_ptrace"]))
            self.assertEqual(len(root.processes("rport")), 1)
            self.assertNotEqual(root.processes("rport"), old)

    def test_a_fallback_server_is_not_the_server(self):
        def check(level):
            with Web() as other, self.installed(('log_level = "info"', f'log_level = "{level}"'),
                                                ("[client]\n", f"[client]\n  Fallback_Servers = ['{other.url}']\n")) as root:
                said = self.again(root, 4, play="refused")
                self.assertNotIn("Connected to", said.replace("info: client: Connected to", ""))
        self.web.files["/refused"] = 404
        self.side_by_side(check, [("info",), ("error",)])

    def test_an_unknown_peer_is_named(self):
        with self.installed(ERRORS_ONLY) as root:
            url = self.host(root, "moved.example")
            script = quick(self.script(url=url)).replace(b"\naddresses() {", b"\naddresses() { echo 192.0.2.1; }\nold_addresses() {")
            said = self.again(root, script=script)
            self.assertIn("no known address of moved.example", said)
            self.assertRegex(said, r"connection to 127\.0\.0\.1:\d+,")

    def test_through_a_proxy(self):
        with Web() as proxy, self.installed(("[client]\n", f"[client]\n  proxy = '{proxy.url}'\n"), ERRORS_ONLY) as root:
            said = self.again(root)
            self.assertIn("connection to the proxy " + proxy.url.split("//")[1], said)
            self.assertIn("look at the server", said)

    @support.essential
    def test_keys_in_another_case(self):
        with self.installed(("  server = ", "  Server = "), ("  auth = ", "  AUTH = "), ("[client]", "[Client]")) as root:
            self.again(root)
            self.assertEqual(self.record(root)["auth"], "client-2:word-2-new")
            client = tomllib.loads(root.read(CONF).decode())["Client"]
            self.assertEqual({key for key in client if key.lower() in ("server", "auth")}, {"server", "auth"})

    # A pairing that does not connect.

    @support.essential
    def test_the_old_pairing_comes_back(self):
        def check(play):
            with self.installed() as root:
                before = root.snapshot()
                said = self.again(root, 4, play=play)
                self.assertIn("old pairing was put back and is connected", said)
                self.assertEqual(self.record(root)["auth"], f"{support.ID}:{support.PASSWORD}")
                self.assertEqual(len(root.processes("rport")), 1)
                self.assertLessEqual(set(root.changes(before)), {"/var/log/rport/rport.log", "/var/log/rport-installer.log",
                                                                 "/var/lib/rport/stand-in.json"})
        self.side_by_side(check, [("refused",), ("used",), ("mismatch",), ("silent",)])

    def test_an_id_that_is_in_use_is_waited_for(self):
        with self.installed() as root:
            said = self.again(root, 4, play="duplicate")
            for words in ("power cut", "-d -f", "previous session was not properly closed"):
                self.assertIn(words, said)
            self.assertEqual(self.record(root)["auth"], "client-2:word-2-new")
            self.assertEqual(len(root.processes("rport")), 1)

    # With every awk.

    def test_every_awk(self):
        """In a short run that of BusyBox, which once took this for a syntax error; all other tests run with the machine's own."""
        url = self.web.url + "/silent.tar.gz"
        self.web.files["/silent.tar.gz"] = client_archive("0.9.16", "silent")
        for awk in AWKS if LONG else ("busybox",):
            with self.subTest(awk=awk), IsolatedRoot() as root:
                use_awk(root, awk)
                self.assertExit(root.run(self.script()), 0)
                self.edit(root, ERRORS_ONLY)
                self.again(root, client_id=support.ID, password=support.PASSWORD)
                said = self.again(root, 4, play="used")
                self.assertIn('client auth ID is already in use: "***"', said)
                self.assertIn("put back and is connected", self.update(root, 4, ["-z", url]))
                self.assertEqual(self.record(root)["version"], "0.9.14")


if __name__ == "__main__":
    support.main(processes=2)
