# SPDX-License-Identifier: MIT
"""The installer from deposit to connected client, again, and away; in every shell, as root, in a throw-away root."""

import json
import os
import re
import time
import tomllib

import support
from support import FINGERPRINT, IsolatedRoot

CONF = "/etc/rport/rport.conf"
SHELLS = [("host", shell) for shell in support.SHELLS] + [(kind, "ash") for kind in support.KINDS[1:]]
OWN_ID = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


class Install(support.InstallerTest):
    def connected(self, root):
        record = json.loads(root.read("/var/lib/rport/stand-in.json"))
        self.assertNotEqual(record["uid"], 0)
        return record

    @support.essential
    def test_from_deposit_to_connection_and_back_in_every_shell(self):
        for number, (kind, shell) in enumerate(SHELLS):
            with self.subTest(shell=shell), IsolatedRoot(kind) as root:
                before = root.snapshot()
                id_ = "it's \"$(touch /tmp/canary)\" \\ `&/|; 😀" + str(number)
                password = " 'leading and trailing: spaces' \\\" 😀 "
                result = root.run(self.script("connected", id_, password), shell=shell)
                self.assertExit(result, 0)
                self.assertNotIn(id_.encode(), result.stdout + result.stderr)
                record = self.connected(root)
                self.assertEqual((record["server"], record["auth"], record["fingerprint"]),
                                 (f"{self.web.url}/connected", f"{id_}:{password}", FINGERPRINT))
                self.assertFalse(root.exists("/tmp/canary"))
                uid, gid, mode = root.owner("/var/lib/rport")
                self.assertEqual((uid, mode), (record["uid"], 0o750))
                self.assertEqual(root.owner(CONF), (0, gid, 0o640))
                self.assertEqual(root.owner("/usr/local/bin/rport"), (0, 0, 0o755))
                self.assertEqual(root.owner("/var/log/rport/rport.log")[0], uid)
                config = tomllib.loads(root.read(CONF).decode())
                self.assertTrue(config["client"]["use_system_id"])
                self.assertFalse(config["file-reception"]["enabled"])
                self.assertFalse(config["remote-scripts"]["enabled"])
                self.assertNotIn("enabled", config["remote-commands"])
                self.assertEqual(len(root.processes("rport")), 1)
                self.assertEqual([n for n in root.path("/tmp").iterdir() if n.name.startswith("rport.")], [])
                self.assertLessEqual({CONF, "/usr/local/bin/rport", "/var/lib/rport", "/etc/passwd"}, set(root.changes(before)))
                # Uninstalling leaves nothing.
                result = root.run(self.fixed("uninstall"), shell=shell, name="/tmp/rport-uninstall.sh")
                self.assertExit(result, 0)
                self.assertEqual(root.processes("rport"), [])
                left = root.changes(before)
                left.pop("/usr/local/bin", None)  # a folder for everyone
                self.assertEqual(left, {})

    @support.essential
    def test_the_second_run_repairs_and_pairs_again(self):
        with self.paired(args=["-d", "-g", "one", "-x"]) as root:
            first = self.connected(root)
            config = root.read(CONF).decode()
            old_id = tomllib.loads(config)["client"]["id"]
            config = config.replace("#keep_alive = '3m'", "keep_alive = '1m'\r") + "\n[own]\n  list = [\n    '[client]', # ]\n    'b']\n"
            root.write(CONF, config, 0o600)
            root.write("/var/lib/rport/client_attributes.json", '{"labels": {"city": "Lille"}, "tags": ["x]", "one"]}', 0o600)
            result = root.run(self.script("connected", "client-2", "word-2-new"), ["-g", "two\\", "-g", "one", "-r"])
            self.assertExit(result, 0)
            self.assertEqual(self.connected(root)["auth"], "client-2:word-2-new")
            new = tomllib.loads(root.read(CONF).decode())
            self.assertEqual((new["client"]["id"], new["client"]["use_system_id"]), (old_id, False))
            self.assertEqual((new["connection"]["keep_alive"], new["own"]["list"]), ("1m", ["[client]", "b"]))
            self.assertTrue(new["remote-scripts"]["enabled"] and new["file-reception"]["enabled"])
            self.assertEqual(root.owner(CONF)[2], 0o640)
            backups = list(root.path("/etc/rport").glob("rport.conf.*.bak"))
            self.assertEqual([b.read_bytes().decode() for b in backups], [config])
            self.assertEqual(json.loads(root.read("/var/lib/rport/client_attributes.json")),
                             {"labels": {"city": "Lille"}, "tags": ["x]", "one", "two\\"]})
            self.assertEqual(self.connected(root)["id"], first["id"])
            self.assertEqual(len(root.processes("rport")), 1)
            # -f rewrites, but the id stays; with -d it is a new one.
            self.assertExit(root.run(self.script(), ["-f"]), 0)
            forced = tomllib.loads(root.read(CONF).decode())
            self.assertNotIn("own", forced)
            self.assertEqual(forced["client"]["id"], old_id)
            self.assertExit(root.run(self.script(), ["-fd"]), 0)
            self.assertNotEqual(tomllib.loads(root.read(CONF).decode())["client"]["id"], old_id)

    def test_a_damaged_installation_is_repaired(self):
        with self.paired() as root:
            root.path("/usr/local/bin/rport").unlink()
            root.write("/usr/local/bin/rport", b"\x7fELF broken", 0o755)
            for folder in ("/var/lib/rport/stand-in.json", "/var/log/rport/rport.log"):
                os.chown(root.path(folder), 0, 0)
            self.assertExit(root.run(self.script()), 0)
            self.connected(root)

    def test_no_package_manager_of_this_machine_is_seen(self):
        with IsolatedRoot() as root:
            for tool in support.HIDDEN_TOOLS:
                self.assertEqual(root.call(["sh", "-c", f"command -v {tool}"]).stdout, b"")

    def test_an_expired_code_installs_nothing(self):
        with support.Pairport(support.configuration(self.web.url, pairing='[pairing]\n  ttl = "1s"')) as service, IsolatedRoot() as root:
            code = service.deposit(connect_url=self.web.url, fingerprint=FINGERPRINT, client_id="a", password="b")["pairing_code"]
            deadline = time.monotonic() + 20
            while True:
                status, _, body = service.get("/" + code)
                if status == 404 or time.monotonic() > deadline:
                    break
                time.sleep(0.1)
            self.assertEqual(status, 404)
            before = root.snapshot()
            for shell in support.SHELLS:
                result = root.run(body, ["-x"], shell=shell)
                self.assertEqual((result.returncode, result.stdout), (1, b""))
                self.assertIn(b"expired", result.stderr)
            self.assertEqual(root.changes(before), {})

    def test_cut_off_downloads_change_nothing(self):
        with IsolatedRoot() as root:
            before = root.snapshot()
            for script in (self.script(), self.fixed("update"), self.fixed("uninstall")):
                # Names of functions, too: half of one may be that of a program.
                lengths = {*range(0, len(script) - 10, 512), *(match.end() for match in re.finditer(rb"(?m)^(as|make|split|id|rm)\B", script))}
                for length in lengths:
                    root.write(f"/tmp/cut/{length}.sh", script[:length])
                ran = root.call(["sh", "-c", "for f in /tmp/cut/*.sh; do if sh $f </dev/null; then echo $f; fi; done; rm -r /tmp/cut"]).stdout
                comments = script.index(b"\n{\n")
                self.assertEqual(ran.decode().split(), sorted(f"/tmp/cut/{n}.sh" for n in lengths if n <= comments), "only comments are no error")
            self.assertEqual(root.changes(before), {})
            self.assertEqual(root.processes("rport"), [])

    def test_the_snippet_of_the_service_works_with_options_appended(self):
        with IsolatedRoot() as root:
            answer = self.service.deposit(connect_url=self.web.url + "/connected", fingerprint=FINGERPRINT, client_id="a1b2", password="c3d4")
            lines = (answer["installers"]["linux"] + " -x -s -r -b").replace("sudo ", "")
            (root.path("/etc/sudoers.d")).mkdir(exist_ok=True)
            result = root.call(["sh", "-c", "cd /tmp && " + lines])
            self.assertExit(result, 0)
            self.assertTrue(root.exists("/etc/sudoers.d/rport-all-cmd"))
            # and through a pipe
            result = root.call(["sh", "-s", "--", "-q"], stdin=self.script())
            self.assertExit(result, 0)
            self.assertEqual(result.stdout, b"")

    def test_it_survives_the_terminal_and_exported_variables(self):
        with IsolatedRoot() as root:
            env = {"PASSWORD": "exported-before", "CLIENT_ID": "x", "FORCE": "yes", "DRY": "yes", "UNDO": "file /etc/passwd", "TMP": "/etc", "CDPATH": "/",
                   "STARTED": "", "QUIET": "yes", "FROM": "x", "BIN": "/bin/sh"}
            self.assertExit(root.run(self.script(), env=env), 0)
            pid = root.processes("rport")[0]
            with open(f"/proc/{pid}/environ", "rb") as environ:
                self.assertNotIn(support.PASSWORD.encode(), environ.read())
            self.assertTrue(root.exists("/etc/passwd"))

    def test_installs_with_wget_only(self):
        for tool in ("wget", "busybox"):
            with self.subTest(tool=tool), IsolatedRoot() as root:
                root.call(["rm", "/usr/bin/curl"])
                if tool == "busybox":
                    root.call(["ln", "-sf", "/bin/busybox", "/usr/bin/wget"])
                result = root.run(self.script())
                self.assertExit(result, 0)

    def test_without_a_good_machine_id_the_client_gets_an_id_of_its_own(self):
        for content in ("", "uninitialized\n", "0123456789abcdef\n", "0123456789ABCDEF0123456789abcdeg\n", None):
            with self.subTest(content=content), IsolatedRoot() as root:
                if content is None:
                    root.path("/etc/machine-id").unlink()
                else:
                    root.write("/etc/machine-id", content)
                self.assertExit(root.run(self.script()), 0)
                config = tomllib.loads(root.read(CONF).decode())["client"]
                self.assertFalse(config["use_system_id"])
                self.assertRegex(config["id"], OWN_ID)

    def test_the_script_says_that_it_holds_a_password_and_wipes_itself(self):
        said = b"holds a password"
        with IsolatedRoot() as root:
            folder = root.call(["mktemp", "-d"]).stdout.decode().strip()
            name = folder + "/rport-installer.sh"
            result = root.run(self.script(), name=name)
            self.assertExit(result, 0)
            self.assertIn(said, result.stdout)
            self.assertTrue(root.exists(name))
            # Not when it failed: it is needed again.
            self.assertExit(root.run(self.script(), ["-w", "-V", "9.9.9"], name=name), 3)
            self.assertTrue(root.exists(name))
            self.assertExit(root.run(self.script(), ["-nw"], name=name), 0)
            self.assertTrue(root.exists(name))
            # The snippet stands in the folder that it made.
            root.write(name, self.script(), 0o600)
            result = root.call(["sh", "-c", f"cd {folder} && sh rport-installer.sh -w"])
            self.assertExit(result, 0)
            self.assertNotIn(said, result.stdout)
            self.assertFalse(root.exists(folder))
            # A folder with anything else in it, or of another name, stays.
            other = root.call(["mktemp", "-d"]).stdout.decode().strip()
            root.write(other + "/mine", "x")
            for name in (other + "/rport-installer.sh", "/root/empty/rport-installer.sh"):
                result = root.run(self.script(), ["-w"], name=name)
                self.assertExit(result, 0)
                self.assertFalse(root.exists(name))
                self.assertTrue(root.exists(os.path.dirname(name)))
            self.assertEqual(root.read(other + "/mine"), b"x")
            # Through a pipe there is no file.
            result = root.call(["sh", "-s", "--", "-w"], stdin=self.script())
            self.assertExit(result, 0)
            self.assertNotIn(said, result.stdout)

if __name__ == "__main__":
    support.main(processes=2)
