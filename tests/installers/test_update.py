# SPDX-License-Identifier: MIT
"""The update script: the new version, or the old one again, with the configuration kept; uninstall by each of the scripts."""

import json
import re
import time
import tomllib

import support
from test_options import SYSTEMCTL
from support import ARCHIVE, EXAMPLE, IsolatedRoot, client, client_archive

CONF = "/etc/rport/rport.conf"
QUICK = {"RPORT_INSTALLER_WAIT": "3"}
NAME = "/tmp/rport-update.sh"
REPORT = "/var/log/rport-update.log"


# That of CentOS 7. Seen there: github.com/munin-monitoring/munin/issues/1266. Services know none of our variables.
SYSTEMD_RUN_219 = r"""#!/bin/sh
while :; do
  case $1 in
    --collect | --pipe | --wait) echo "systemd-run: unrecognized option '$1'" >&2; exit 1 ;;
    -p) echo "Unknown assignment $2." >&2; echo "Failed to create bus message: No such device or address" >&2; exit 1 ;;
    -*) shift ;;
    *) break ;;
  esac
done
echo "Running as unit run-42.service." >&2
setsid env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" >/dev/null 2>&1 </dev/null &
"""


class Update(support.InstallerTest):
    def update(self, root, args=(), code=0, shell="dash", env=None):
        result = root.run(self.fixed("update"), args, shell=shell, name=NAME, env={**QUICK, **(env or {})})
        self.assertExit(result, code)
        return result

    def record(self, root):
        return json.loads(root.read("/var/lib/rport/stand-in.json"))

    def serve(self, path, content):
        self.addCleanup(self.web.files.pop, path, None)
        self.web.files[path] = content
        return self.web.url + path

    def test_to_a_version_in_every_shell(self):
        def check(kind, shell):
            with self.paired(kind) as root:
                config = root.read(CONF)
                self.update(root, ["-v", "0.9.15"], shell=shell)
                self.assertEqual(self.record(root)["version"], "0.9.15")
                self.assertEqual(root.read(CONF), config)
                self.assertEqual(len(root.processes("rport")), 1)
        self.side_by_side(check, [("host", s) for s in support.SHELLS] + [(kind, "ash") for kind in support.KINDS[1:]])

    def test_up_to_date_and_unstable(self):
        with self.paired() as root:
            before, pid = root.snapshot(), root.processes("rport")
            self.update(root)
            self.assertEqual((root.changes(before), root.processes("rport")), ({}, pid))
            self.update(root, ["-tm"])
            self.assertEqual(self.record(root)["version"], "0.9.15")

    @support.essential
    def test_the_old_version_comes_back_when_the_new_one_does_not_connect(self):
        def check(play, verdict):
            with self.paired() as root:
                root.path("/etc/sudoers.d").mkdir(exist_ok=True)
                before = root.snapshot()
                url = self.serve(f"/{play}.tar.gz", client_archive("0.9.16", play))
                result = self.update(root, ["-z", url, "-x", "-s"], code=4)
                self.assertIn(b"put back and is connected", result.stderr)
                self.assertIn(f"the new version does not connect ({verdict}).", result.stderr.decode())
                self.assertEqual(self.record(root)["version"], "0.9.14")
                changed = set(root.changes(before)) - {"/var/log/rport/rport.log", "/var/lib/rport/stand-in.json", REPORT}
                self.assertEqual(changed, set())
                self.assertEqual(len(root.processes("rport")), 1)
        self.side_by_side(check, [("silent", "silent"), ("crash", "stopped"), ("refused", "refused")])

    def test_the_old_rpm_comes_back_through_its_manager(self):
        """Stand-ins for rpm, dnf and zypper: the client is the file of the version that they are asked for."""
        support.without_packages_of_busybox()
        def check(manager, install, back):
            with self.paired() as root:
                root.write("/opt/0.9.14", client("0.9.14"), 0o755)
                root.write("/opt/0.9.16", client("0.9.16", "silent"), 0o755)
                root.write("/usr/local/sbin/" + manager, '#!/bin/sh\necho "$*" >>/tmp/manager.log\nfor word; do :; done\n'
                           "rm -f /usr/bin/rport\ncp -p /opt/${word#rport?} /usr/bin/rport\n", 0o755)
                # From now on as if the package had brought it.
                root.call(["mv", "/usr/local/bin/rport", "/usr/bin/rport"])
                root.write("/usr/local/sbin/rpm", "#!/bin/sh\n[ $1 = -q ]\n", 0o755)
                self.assertExit(root.run(self.script(), ["-N"]), 0)
                before = root.snapshot()
                result = self.update(root, ["-v", "0.9.16"], code=4)
                self.assertIn(b"put back and is connected", result.stderr)
                self.assertEqual(root.read("/tmp/manager.log").decode().splitlines(), [install, back])
                self.assertEqual(self.record(root)["version"], "0.9.14")
                self.assertEqual(set(root.changes(before)) - {"/var/log/rport/rport.log", "/var/lib/rport/stand-in.json", REPORT}, set())
                self.assertEqual(len(root.processes("rport")), 1)
        self.side_by_side(check, [("dnf", "-y install rport-0.9.16", "-y downgrade rport-0.9.14"),
                                  ("zypper", "--non-interactive --gpg-auto-import-keys install --oldpackage rport=0.9.16",
                                   "--non-interactive install --oldpackage rport=0.9.14")])

    def test_failures_change_nothing(self):
        with IsolatedRoot() as root:
            self.update(root, code=1)
        with self.paired() as root:
            before, pid = root.snapshot(), root.processes("rport")
            for args, code in ((["-Q"], 1), (["-v"], 1), (["-b"], 1), (["-xd"], 1), (["stray"], 1), (["-v", "9.9.9"], 3),
                               (["-z", self.web.url + "/none"], 3), (["-z", self.serve("/x.tar.gz", b"<html>")], 3),
                               (["-z", self.serve("/y.tar.gz", support.archive({"rport": b"\x7fELF"}))], 3)):
                self.update(root, args, code)
                self.assertEqual((root.changes(before), root.processes("rport")), ({}, pid), args)

    def test_settings_and_new_sections(self):
        with self.paired(args=["-g", "tag"]) as root:
            text = root.read(CONF).decode()
            without = re.sub(r"(?ms)^\[monitoring\].*?(?=^\[)", "", text)
            self.assertNotEqual(text, without)
            root.write(CONF, without, 0o640)
            example = EXAMPLE.read_bytes() + b"\n[brand-new]\n  key = 'value'\n"
            self.serve("/" + ARCHIVE.format("0.9.17"), client_archive("0.9.17", example=example))
            root.path("/etc/sudoers.d").mkdir(exist_ok=True)
            self.update(root, ["-v", "0.9.17", "-x", "-srb"])
            config = tomllib.loads(root.read(CONF).decode())
            self.assertEqual(config["brand-new"], {"key": "value"})
            self.assertIn("pm_enabled", config["monitoring"])
            self.assertTrue(config["remote-scripts"]["enabled"] and config["file-reception"]["enabled"])
            self.assertEqual(config["remote-commands"]["allow"], [".*"])
            self.assertEqual(config["client"]["auth"], f"{support.ID}:{support.PASSWORD}")
            self.assertTrue(root.exists("/etc/sudoers.d/rport-all-cmd") and root.exists("/etc/sudoers.d/rport-filereception"))
            self.assertEqual(root.owner(CONF)[2], 0o640)
            self.update(root, ["-d"])
            self.assertFalse(tomllib.loads(root.read(CONF).decode())["remote-scripts"]["enabled"])

    def test_dry_run_and_quiet(self):
        with self.paired() as root:
            before = root.snapshot()
            result = self.update(root, ["-n", "-xv", "0.9.15"])
            self.assertIn(b"would get the client from", result.stdout)
            self.assertEqual(root.changes(before), {})
            self.assertEqual(self.update(root, ["-qv", "0.9.15"]).stdout, b"")

    def test_tacoscript(self):
        with self.paired() as root:
            self.update(root, ["-v", "0.9.15"])
            self.assertFalse(root.exists("/usr/local/bin/tacoscript"))
            root.write("/usr/local/bin/tacoscript", "old", 0o755)
            self.update(root, ["-m"])
            self.assertEqual(root.read("/usr/local/bin/tacoscript"), b"old")
            self.update(root)
            self.assertIn(b"echo taco", root.read("/usr/local/bin/tacoscript"))

    def test_from_within_the_client(self):
        with self.paired() as root:
            result = self.within(root, self.fixed("update"), "-v", "0.9.15")
            self.assertExit(result, 0)
            self.assertIn(b"background", result.stdout)
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and b"version 0.9.15 (was" not in (
                    root.read("/var/log/rport-update.log") if root.exists("/var/log/rport-update.log") else b""):
                time.sleep(0.1)
            self.assertEqual(self.record(root)["version"], "0.9.15")
            result = root.call(["/tmp/rport", "-s"], QUICK, stdin=self.fixed("update"))
            self.assertExit(result, 1)
            self.assertIn(b"from a file", result.stderr)

    def within(self, root, script, *args, **env):
        """Runs it as a command of the server: by a process of the client's name."""
        root.write(NAME, script, 0o600)
        root.call(["cp", "/bin/dash", "/tmp/rport"])
        return root.call(["/tmp/rport", NAME, *args], {**QUICK, **env})

    @support.essential
    def test_from_within_the_client_with_an_old_systemd(self):
        with self.paired() as root:
            root.write("/usr/local/sbin/systemctl", SYSTEMCTL, 0o755)
            root.path("/run/systemd/system").mkdir(parents=True)
            self.assertExit(root.run(self.script()), 0)  # as a service
            root.write("/usr/local/sbin/systemd-run", SYSTEMD_RUN_219, 0o755)
            root.write("/usr/local/sbin/curl", '#!/bin/sh\necho "$no_proxy" >>/tmp/seen\nexec /usr/bin/curl "$@"\n', 0o755)
            hosts = "it's 'a' $(touch /tmp/canary)\\ \"list\""
            result = self.within(root, self.fixed("update"), "-v", "0.9.15", no_proxy=hosts)
            self.assertExit(result, 0)
            self.assertIn(b"goes on in the background", result.stdout)
            support.wait_for(lambda: root.exists(REPORT) and b"version 0.9.15 (was" in root.read(REPORT), 90)
            self.assertIn(b"wait up to 3 s", root.read(REPORT))
            self.assertEqual(root.owner(REPORT), (0, 0, 0o600))
            self.assertEqual(set(root.read("/tmp/seen").decode().splitlines()), {hosts})
            self.assertFalse(root.exists("/tmp/canary"))
            support.wait_for(lambda: not list(root.path("/tmp").glob("rport.*")))
            # Where it cannot be done the client is not stopped.
            running = root.processes("rport")
            # src/run/run.c of systemd, without a bus.
            root.write("/usr/local/sbin/systemd-run", "#!/bin/sh\necho 'Failed to create bus connection: No such file or directory' >&2\nexit 1\n", 0o755)
            before = root.snapshot()
            result = self.within(root, self.fixed("update"), "-v", "0.9.14")
            self.assertExit(result, 1)
            self.assertIn(b"Failed to create bus connection", result.stderr)
            self.assertEqual(set(root.changes(before)) - {REPORT}, set())
            self.assertEqual(root.processes("rport"), running)
            self.assertEqual(list(root.path("/tmp").glob("rport.*")), [])

    @support.essential
    def test_uninstall_by_each_script(self):
        for which, args in (("installer", ["-u"]), ("update", ["-u"]), ("uninstall", [])):
            with self.subTest(script=which), self.paired(args=["-xsrbi", "-g", "tag"]) as root:
                script = self.script() if which == "installer" else self.fixed(which)
                planned = root.snapshot()
                result = root.run(script, [*args, "-n"])
                self.assertExit(result, 0)
                self.assertIn(b"would remove /etc/rport", result.stdout)
                self.assertEqual(root.changes(planned), {})
                self.assertExit(root.run(script, args), 0)
                self.assertEqual(root.changes(root.bare), {})
                self.assertEqual(root.processes("rport"), [])
                result = root.run(script, args)
                self.assertExit(result, 0)
                self.assertIn(b"not installed", result.stdout)

    def test_uninstall_refuses_beside_the_server(self):
        with self.paired() as root:
            root.write("/etc/rport/rportd.conf", "")
            before = root.snapshot()
            result = root.run(self.fixed("uninstall"))
            self.assertExit(result, 1)
            self.assertIn(b"rportd", result.stderr)
            root.path("/etc/rport/rportd.conf").unlink()
            root.call(["cp", "/bin/sleep", "/usr/bin/rportd"])
            root.call(["sh", "-c", "setpriv --reuid rport --clear-groups rportd 60 >/dev/null 2>&1 & sleep 1"])
            result = root.run(self.fixed("uninstall"))
            self.assertExit(result, 1)
            self.assertIn(b"rportd", result.stderr)
            self.assertEqual(set(root.changes(before)), {"/etc/rport/rportd.conf", "/usr/bin/rportd"})

    def test_uninstall_keeps_a_user_of_yours(self):
        with IsolatedRoot() as root:
            root.call(["useradd", "-m", "joe"])
            self.assertExit(root.run(self.script(), ["-a", "joe"]), 0)
            self.assertNotEqual(self.record(root)["uid"], 0)
            self.assertExit(root.run(self.script()), 0)  # again, and still as joe
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertTrue(root.exists("/home/joe"))
            self.assertEqual(root.call(["id", "joe"]).returncode, 0)


if __name__ == "__main__":
    support.main(processes=2)
