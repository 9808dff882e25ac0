# SPDX-License-Identifier: MIT
"""The client's user is hostile: it places links, also while root works in its folders, and calls sudo with variables."""

import os
import pathlib
import shutil
import subprocess
import time

import support
from support import IsolatedRoot

SECRET = "the-secret-of-root"
FOLDERS = ("/var/lib/rport", "/var/log/rport")
RUNS = 12 if os.environ.get("PAIRPORT_LONG") else 2
RULE = "/etc/sudoers.d/rport-update-status"
EXACT = ["apt-get", "update", "-o", "Debug::NoLocking=true"]  # seen in the client, 0.9.12 and 0.9.14


class HostileUser(support.InstallerTest):
    def as_rport(self, root, command, env=None):
        return root.call(["/usr/bin/setpriv", "--reuid=rport", "--regid=rport", "--clear-groups", *command], env)

    def secrets(self, root):
        root.write("/root/secret", SECRET + "\n", 0o600)
        root.write("/root/tree/precious", SECRET + "\n", 0o600)
        os.chmod(root.path("/root/tree"), 0o755)  # the client's user may look for a way, too

    def assertSafe(self, root, result=None):
        for path in ("/root/secret", "/root/tree/precious"):
            self.assertEqual((root.read(path), root.owner(path)), (SECRET.encode() + b"\n", (0, 0, 0o600)))
        for folder in (*FOLDERS, "/etc/rport"):
            for top, _, names in os.walk(root.path(folder)):
                for path in (pathlib.Path(top, name) for name in names):
                    if path.is_file() and not path.is_symlink():
                        self.assertNotIn(SECRET.encode(), path.read_bytes(), path)
        if result:
            self.assertNotIn(SECRET.encode(), result.stdout + result.stderr)

    @support.essential
    def test_links_in_its_folders_are_not_followed(self):
        attributes = "/var/lib/rport/client_attributes.json"
        for make in (f"ln -s /root/secret {attributes}", f"ln -s /root/tree {attributes}", f"mkdir {attributes}",
                     "ln -sf /root/secret /var/log/rport/rport.log"):
            with self.subTest(make=make), self.paired(args=["-g", "one"]) as root:
                self.secrets(root)
                self.as_rport(root, ["sh", "-c", f"rm -f {attributes}; {make}; cd /var/lib/rport && ln -s /root/secret a && ln -s /root/tree b"])
                result = root.run(self.script(), ["-g", "two"], env={"RPORT_INSTALLER_WAIT": "2"})
                self.assertIn(result.returncode, (0, 1, 4))  # the client cannot work with some of this
                self.assertSafe(root, result)
                self.assertExit(root.run(self.fixed("uninstall")), 0)
                for path in ("/root/secret", "/root/tree/precious"):
                    self.assertTrue(root.exists(path))
                self.assertFalse(root.exists("/var/lib/rport"))

    @support.essential
    def test_a_failure_undoes_nothing_through_a_link(self):
        with self.paired(args=["-g", "one"]) as root:
            self.secrets(root)
            self.as_rport(root, ["ln", "-sf", "/root/secret", "/var/lib/rport/client_attributes.json"])
            root.path("/etc/sudoers.d").mkdir(exist_ok=True)
            root.write("/usr/local/sbin/visudo", "#!/bin/sh\nexit 1\n", 0o755)
            result = root.run(self.script(), ["-g", "two", "-s"])
            self.assertExit(result, 1)
            self.assertIn(b"undoing", result.stderr)
            self.assertSafe(root, result)
            root.path("/usr/local/sbin/visudo").unlink()
            result = root.run(self.script(), ["-k"])
            self.assertExit(result, 0)
            self.assertSafe(root, result)

    def test_a_failure_puts_tags_back(self):
        with self.paired(args=["-g", "one"]) as root:
            before = root.read("/var/lib/rport/client_attributes.json")
            root.path("/etc/sudoers.d").mkdir(exist_ok=True)
            root.write("/usr/local/sbin/visudo", "#!/bin/sh\nexit 1\n", 0o755)
            self.assertExit(root.run(self.script(), ["-g", "two", "-s"]), 1)
            self.assertEqual(root.read("/var/lib/rport/client_attributes.json"), before)

    def test_tags_in_a_folder_of_root_are_left_alone(self):
        with self.paired(args=["-g", "one"]) as root:
            config = root.read("/etc/rport/rport.conf").replace(b"/var/lib/rport/client_attributes.json", b"/etc/rport/tags.json")
            root.path("/etc/rport/rport.conf").write_bytes(config)
            root.write("/etc/rport/tags.json", '{"labels": {"a": "b"}, "tags": ["x"]}')
            result = root.run(self.script(), ["-g", "two"])
            self.assertExit(result, 1)
            self.assertIn(b"rport cannot write /etc/rport/tags.json", result.stderr)
            self.assertEqual(root.read("/etc/rport/tags.json"), b'{"labels": {"a": "b"}, "tags": ["x"]}')

    def test_races(self):
        """While root installs and uninstalls, attributes and a folder turn into links and back, all the time."""
        swap = r"""
            cd /var/lib/rport || exit
            mkdir -p deep/d deep/e; cd deep
            while :; do
                ln -s /root/secret ../t && mv -f ../t ../client_attributes.json
                echo '{}' >../t && mv -f ../t ../client_attributes.json
                mv d x; ln -s /root/tree d; rm -f d; mv x d; mkdir -p d/e; echo >d/e/f
            done 2>/dev/null"""
        for kind in support.KINDS:
            with self.subTest(kind=kind), self.paired(kind, ["-g", "one"]) as root:
                self.secrets(root)
                status = root.path("/var/lib/rport").stat()
                racer = root.popen(["/usr/bin/setpriv", f"--reuid={status.st_uid}", f"--regid={status.st_gid}", "--clear-groups", "sh", "-c", swap]
                                   if kind == "host" else ["su", "-s", "/bin/sh", "-c", swap, "rport"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    deadline = time.monotonic() + 20
                    while not root.exists("/var/lib/rport/deep/d/e/f") and time.monotonic() < deadline:
                        time.sleep(0.01)
                    for number in range(RUNS):
                        result = root.run(self.script(), ["-g", f"t{number}"], env={"RPORT_INSTALLER_WAIT": "2"})
                        self.assertIn(result.returncode, (0, 1, 4))
                        self.assertSafe(root, result)
                    root.run(self.fixed("uninstall"))
                    self.assertTrue(root.exists("/root/tree/precious"))
                    self.assertTrue(root.exists("/root/secret"))
                finally:
                    racer.kill()
                    racer.wait()

    def test_another_user_takes_over(self):
        with IsolatedRoot() as root:
            self.secrets(root)
            self.assertExit(root.run(self.script(), ["-g", "one", "-d"]), 0)
            self.as_rport(root, ["sh", "-c", "cd /var/lib/rport && ln -s /root/secret link && mkdir folder && echo kept >folder/file && chmod -R go= ."])
            result = root.run(self.script(), ["-a", "joe"])
            self.assertExit(result, 0)
            self.assertSafe(root, result)
            joe = root.owner("/var/lib/rport")[0]
            self.assertEqual(root.call(["id", "-u", "joe"]).stdout.decode().strip(), str(joe))
            for path in ("folder/file", "client_attributes.json", "stand-in.json"):
                self.assertEqual(root.owner("/var/lib/rport/" + path)[0], joe, path)
            self.assertEqual(root.read("/var/lib/rport/folder/file"), b"kept\n")

    # sudo

    def sudo_root(self, root, program="/usr/sbin/visudo"):
        if not root.exists(program):
            self.skipTest(f"SKIPPED: no {program} on this machine (Debian package sudo, or sudo-rs of Debian 13)")
        # What it is called with is what it does: nothing of the network is asked.
        root.write("/usr/local/sbin/apt-get", '#!/bin/sh\n{ id -u; echo "$*"; env; } >>/root/seen\nexec /usr/bin/apt-get "$@"\n', 0o755)
        for path in root.path("/etc/apt/sources.list.d").iterdir():
            path.unlink()
        root.write("/etc/apt/sources.list", "")
        root.write("/tmp/evil/apt.conf", 'APT::Update::Pre-Invoke { "touch /root/pwned"; };\n', 0o644)
        root.write("/tmp/evil/apt-get", "#!/bin/sh\ntouch /root/pwned\n", 0o755)

    def sudoers(self, root, line):
        """Before all other lines, as distributions do."""
        root.path("/etc/sudoers").write_bytes(line.encode() + root.read("/etc/sudoers"))

    def test_the_rule_for_package_lists_lets_nothing_else_through(self):
        evil = {"APT_CONFIG": "/tmp/evil/apt.conf", "LD_PRELOAD": "/tmp/evil/x.so", "LD_LIBRARY_PATH": "/tmp/evil", "PATH": "/tmp/evil:/usr/bin:/bin",
                "HOME": "/tmp/evil", "DEBIAN_FRONTEND": "evil", "BASH_ENV": "/tmp/evil/apt-get", "ENV": "/tmp/evil/apt-get", "TMPDIR": "/tmp/evil"}
        with IsolatedRoot() as root:
            self.sudo_root(root)
            self.assertExit(root.run(self.script()), 0)
            path = RULE
            self.assertEqual(root.read(path).decode(), "Defaults:rport !requiretty\nrport ALL=(root) NOPASSWD: NOSETENV: "
                             "/usr/local/sbin/apt-get update -o Debug\\:\\:NoLocking\\=true\n")
            self.assertEqual(root.owner(path), (0, 0, 0o440))
            sudo = ["/usr/bin/sudo", "-n"]
            # The client's own call works, from no terminal, also where one is required.
            self.sudoers(root, "Defaults requiretty\n")
            done = self.as_rport(root, [*sudo, *EXACT])
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(root.read("/root/seen").startswith(b"0\nupdate -o Debug::NoLocking=true\n"))
            for setenv in ("", "Defaults setenv\n"):
                self.sudoers(root, setenv)
                root.path("/root/seen").write_text("")
                self.assertEqual(self.as_rport(root, [*sudo, *EXACT], env=evil).returncode, 0)
                seen = root.read("/root/seen").decode()
                for value in ("/tmp/evil", "DEBIAN_FRONTEND"):
                    self.assertNotIn(value, seen)
                for command in ([*sudo, "APT_CONFIG=/tmp/evil/apt.conf", *EXACT], [*sudo, "-E", "APT_CONFIG=/tmp/evil/apt.conf", *EXACT],
                                [*sudo, *EXACT, "-o", "APT::Update::Pre-Invoke::=touch /root/pwned"], [*sudo, "apt-get", "update"],
                                [*sudo, "apt-get", "update", "-o", "Debug::NoLocking=true -c=/tmp/evil/apt.conf"],
                                [*sudo, "apt-get", "install", "x"], [*sudo, "/tmp/evil/apt-get", *EXACT[1:]], [*sudo, "sh", "-c", "touch /root/pwned"]):
                    self.assertNotEqual(self.as_rport(root, command, env=evil).returncode, 0, command)
                self.assertFalse(root.exists("/root/pwned"))
            # The attack is a real one: with the rule of other installers it succeeds. Ours takes its place, at an update, too.
            reference = "Defaults:rport !requiretty\nrport ALL=NOPASSWD: SETENV: /usr/local/sbin/apt-get update -o Debug\\:\\:NoLocking=true\n"
            root.write(path, reference, 0o440)
            self.as_rport(root, [*sudo, "APT_CONFIG=/tmp/evil/apt.conf", *EXACT])
            self.assertTrue(root.exists("/root/pwned"))
            self.assertExit(root.run(self.fixed("update")), 0)
            self.assertIn(b"NOSETENV", root.read(path))
            # -k takes it away and keeps it away.
            self.assertExit(root.run(self.script(), ["-k"]), 0)
            self.assertFalse(root.exists(path))
            self.assertExit(root.run(self.fixed("update"), ["-x"]), 0)
            self.assertFalse(root.exists(path))
            self.assertExit(root.run(self.script()), 0)
            self.assertTrue(root.exists(path))
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertFalse(root.exists(path))

    def test_a_rule_that_sudo_refuses_is_not_placed(self):
        """The one that nobody has asked for is done without, also in place of an old one; another is an error."""
        with IsolatedRoot() as root:
            self.sudo_root(root)
            root.write("/usr/local/sbin/visudo", "#!/bin/sh\necho 'a syntax error' >&2\nexit 1\n", 0o755)
            before = root.snapshot()
            result = root.run(self.script(), ["-s"])
            self.assertExit(result, 1)
            self.assertIn(b"a syntax error", result.stderr)
            self.assertEqual(root.changes(before), {})
            root.write(RULE, "rport ALL=NOPASSWD: SETENV: /usr/bin/apt-get update\n", 0o440)
            result = root.run(self.script())
            self.assertExit(result, 0)
            self.assertRegex(result.stderr.decode(), r"sudo refuses the rule, so the client cannot tell of pending updates:\n +a syntax error\n")
            self.assertFalse(root.exists(RULE))

    def test_a_sudo_that_knows_less_gets_a_rule_that_it_knows(self):
        for unknown, rule in (("-e requiretty", "rport ALL=(root) NOPASSWD: NOSETENV: "),
                              ("-e NOSETENV -e requiretty", "rport ALL=(root) NOPASSWD: ")):
            with self.subTest(unknown=unknown), IsolatedRoot() as root:
                self.sudo_root(root)
                root.write("/usr/local/sbin/visudo", f"#!/bin/sh\nfor file; do :; done\n! grep {unknown} \"$file\"\n", 0o755)
                self.assertExit(root.run(self.script()), 0)
                self.assertEqual(root.read(RULE).decode(), rule + "/usr/local/sbin/apt-get update -o Debug\\:\\:NoLocking\\=true\n")
                self.assertEqual(self.as_rport(root, ["sudo", "-n", *EXACT]).returncode, 0)

    def test_the_real_sudo_rs(self):
        """It refuses requiretty, and a command with an equals sign that is not escaped; so it takes a rule of ours that the older
        sudo takes as well. It lets the client do what the rule says and nothing else."""
        with IsolatedRoot() as root:
            self.sudo_root(root, "/usr/bin/visudo-rs")
            root.path("/etc/sudoers").unlink(missing_ok=True)
            root.write("/etc/sudoers", "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", 0o440)
            root.path("/etc/sudoers.d").mkdir(exist_ok=True)
            for name in ("sudo", "visudo"):
                root.path("/usr/local/sbin/" + name).symlink_to(os.path.realpath(shutil.which(name + "-rs")))
            result = root.run(self.script(), ["-srb"])
            self.assertExit(result, 0)
            self.assertNotIn(b"refuses", result.stderr)
            self.assertEqual(root.read(RULE).decode(), "rport ALL=(root) NOPASSWD: NOSETENV: /usr/local/sbin/apt-get update -o "
                             "Debug\\:\\:NoLocking\\=true\n")
            root.call(["rm", "/etc/sudoers.d/rport-all-cmd"])
            for path in root.path("/etc/sudoers.d").iterdir():
                self.assertEqual(root.call(["visudo", "-cf", "/etc/sudoers.d/" + path.name]).returncode, 0)
            sudo = ["/usr/local/sbin/sudo", "-n"]
            evil = {"APT_CONFIG": "/tmp/evil/apt.conf"}
            done = self.as_rport(root, [*sudo, *EXACT], env=evil)
            self.assertEqual(done.returncode, 0, done.stderr)
            seen = root.read("/root/seen").decode()
            self.assertTrue(seen.startswith("0\nupdate -o Debug::NoLocking=true\n"), seen)
            self.assertNotIn("/tmp/evil", seen)
            self.assertEqual(self.as_rport(root, [*sudo, "chown", "--version"]).returncode, 0)
            for command in ([*sudo, "APT_CONFIG=/tmp/evil/apt.conf", *EXACT], [*sudo, "apt-get", "update"], [*sudo, *EXACT, "x"],
                            [*sudo, "/tmp/evil/apt-get", *EXACT[1:]], [*sudo, "sh", "-c", "touch /root/pwned"]):
                self.assertNotEqual(self.as_rport(root, command, env=evil).returncode, 0, command)
            self.assertFalse(root.exists("/root/pwned"))

    @support.essential
    def test_no_rule_has_a_wildcard_and_help_says_what_b_means(self):
        with IsolatedRoot() as root:
            self.sudo_root(root)
            root.write("/usr/local/sbin/zypper", "#!/bin/sh\n", 0o755)
            self.assertExit(root.run(self.script(), ["-srb"]), 0)
            for path in root.path("/etc/sudoers.d").glob("rport-*"):
                self.assertNotRegex(path.read_text(), r"[*?\[]")
            self.assertIn(", /usr/local/sbin/zypper refresh\n", root.read("/etc/sudoers.d/rport-update-status").decode())
            for script in (self.script(), self.fixed("update")):
                self.assertRegex(root.run(script, ["-h"]).stdout, rb"-b .*as good as root")


if __name__ == "__main__":
    support.main(processes=2)
