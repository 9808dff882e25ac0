# SPDX-License-Identifier: MIT
"""Every option of the installer does what -h says, alone and combined; service managers; packages and repositories."""

import base64
import hashlib
import json
import os
import re
import tomllib

import support
from support import IsolatedRoot, client, client_archive

CONF = "/etc/rport/rport.conf"

# A make-believe systemctl: units are files, `start` and `restart` run ExecStart as User=, as systemd does.
SYSTEMCTL = r"""#!/bin/sh
echo "$*" >>/tmp/systemctl.log
unit=/etc/systemd/system/rport.service
stop() { for p in /proc/[0-9]*; do [ "$(cat $p/comm)" != rport ] || kill ${p#/proc/}; done 2>/dev/null; }
case $1 in
  cat) exec cat "$unit" 2>/dev/null ;;
  start | restart)
    [ $1 = start ] || stop
    user=$(sed -n 's/^User=//p' "$unit")
    command=$(sed -n 's/^ExecStart=//p' "$unit" | tr -d '"')
    setsid /usr/bin/setpriv --reuid "$user" --regid "$user" --init-groups $command >/dev/null 2>&1 </dev/null & ;;
  stop) stop ;;
  disable) rm -f /etc/systemd/system/multi-user.target.wants/rport.service ;;
esac
exit 0
"""


class Options(support.InstallerTest):
    def config(self, root):
        return tomllib.loads(root.read(CONF).decode())

    def install(self, root, args=(), code=0, env=None, **kwargs):
        result = root.run(self.script(**kwargs), args, env=env)
        self.assertExit(result, code)
        return result

    def sudoers(self, root):
        if not root.exists("/usr/sbin/visudo"):
            self.skipTest("SKIPPED: no sudo on this machine (Debian package sudo)")

    def test_help_and_versions_need_no_root_and_change_nothing(self):
        with IsolatedRoot() as root:
            before = root.snapshot()
            root.write("/tmp/i.sh", self.script(), 0o644)
            for args, word in ((["-h"], b"Usage:"), (["-xsh"], b"Usage:"), (["-v"], b"rport 0.9.14"), (["-tv"], b"rport 0.9.15"),
                               (["-V", "1.2.3", "-v"], b"rport 1.2.3")):
                result = root.call(["/usr/bin/setpriv", "--reuid=65534", "--clear-groups", "sh", "/tmp/i.sh", *args])
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                self.assertIn(word, result.stdout)
            self.assertEqual(root.changes(before), {})

    def test_dry_run_names_every_action_and_changes_nothing(self):
        with IsolatedRoot() as root:
            self.sudoers(root)
            before = root.snapshot()
            self.web.requests.clear()
            result = self.install(root, ["-nxsrbi", "-g", "t", "-a", "joe"])
            for word in ("test the connection", "get the client", "get Tacoscript", "create the user joe", "create /etc/rport", "install /usr/local/bin/rport",
                         "write /etc/rport/rport.conf", "rport-all-cmd", "rport-filereception", "start the client"):
                self.assertRegex(result.stdout.decode(), rf"would .*{re.escape(word)}")
            self.assertEqual(root.changes(before), {})
            self.assertEqual(self.web.requests, [])

    @support.essential
    def test_combinations_of_user_interfaces(self):
        bin_ = "/usr/local/sbin" if support.TOOLS == "busybox" else "/usr/bin"
        for args in (["-x", "-s", "-r", "-b", "-i"], ["-bisxr"], ["-i", "-b", "-r", "-sx"]):
            with self.subTest(args=args), IsolatedRoot() as root:
                self.sudoers(root)
                result = self.install(root, [*args, "-q"])
                self.assertEqual(result.stdout, b"")
                config = self.config(root)
                self.assertEqual((config["remote-commands"]["enabled"], config["remote-commands"]["allow"], config["remote-commands"]["deny"]),
                                 (True, [".*"], []))
                self.assertTrue(config["remote-scripts"]["enabled"] and config["file-reception"]["enabled"])
                self.assertEqual(root.read("/etc/sudoers.d/rport-all-cmd"), b"Defaults:rport !requiretty\nrport ALL=(ALL) NOPASSWD: ALL\n")
                self.assertEqual(root.read("/etc/sudoers.d/rport-filereception"),
                                 f"Defaults:rport !requiretty\nrport ALL=(root) NOPASSWD: NOSETENV: {bin_}/chown, {bin_}/mv\n".encode())
                for name in ("rport-all-cmd", "rport-filereception", "rport-update-status"):
                    self.assertEqual(root.owner(f"/etc/sudoers.d/{name}"), (0, 0, 0o440))
                self.assertEqual(root.call(["/usr/local/bin/tacoscript"]).stdout, b"taco\n")
                self.assertIn("bash", config["interpreter-aliases"])

    def test_user_tags_and_id(self):
        with IsolatedRoot() as root:
            tags = ["plain", 'quo"te', "back\\slash", "$(touch /tmp/canary)", "comma, space", "ünï 😀", "]}"]
            self.install(root, ["-d", "-a", "joe"] + [a for tag in tags for a in ("-g", tag)])
            config = self.config(root)["client"]
            self.assertRegex(config["id"], r"^[0-9a-f-]{36}$")
            self.assertFalse(config["use_system_id"])
            self.assertEqual(json.loads(root.read(config["attributes_file_path"])), {"tags": tags, "labels": {}})
            user = json.loads(root.read("/var/lib/rport/stand-in.json"))["uid"]
            self.assertEqual(root.call(["id", "-un", str(user)]).stdout, b"joe\n")
            self.assertEqual(root.owner(config["attributes_file_path"])[0], user)
            self.assertFalse(root.exists("/tmp/canary"))

    def test_versions_and_addresses(self):
        self.web.files["/own.tar.gz"] = client_archive("7.7.7")
        for args, version in ((["-t"], "0.9.15"), (["-V", "0.9.15"], "0.9.15"), (["-z", self.web.url + "/own.tar.gz?x=1"], "7.7.7"), (["-p"], "0.9.14")):
            with self.subTest(args=args), IsolatedRoot() as root:
                self.install(root, args)
                self.assertEqual(json.loads(root.read("/var/lib/rport/stand-in.json"))["version"], version)

    def test_login_for_an_address(self):
        user, word = 'us"er', "pa\\ss: \"$(x)' "
        want = "Basic " + base64.b64encode(f"{user}:{word}".encode()).decode()
        seen = []
        self.web.files["/private.tar.gz"] = lambda request: client_archive() if seen.append(request.headers.get("Authorization")) or seen[-1] == want else 401
        env = {"RPORT_INSTALLER_DL_USERNAME": user, "RPORT_INSTALLER_DL_PASSWORD": word}
        with IsolatedRoot() as root:
            result = self.install(root, ["-z", self.web.url + "/private.tar.gz"], env=env)
            self.assertEqual(seen, [want])
            self.assertNotIn(b"pa\\ss", result.stdout + result.stderr)
            self.assertExit(root.run(self.script(), ["-f", "-z", self.web.url + "/private.tar.gz"]), 3)
            root.path("/usr/bin/curl").unlink()
            self.assertExit(root.run(self.script(), ["-f", "-z", self.web.url + "/private.tar.gz"], env=env), 1)

    def test_strict_checksums_refuse_what_nobody_has_named(self):
        """Installer, update and Tacoscript; by an address, too. What is in the list at checksums_url, or pinned, is taken."""
        package = client_archive("0.9.14")
        digest = hashlib.sha256(package).hexdigest()
        name = support.ARCHIVE.format("0.9.14")
        self.web.files["/own.tar.gz"] = client_archive("7.7.7")
        self.web.files["/deb/dists/bookworm/Release"] = self.web.files["/keys/dearmor.gpg"] = b"x"  # would be used otherwise
        strict = "  use_repositories = true\n  strict_checksums = true\n"
        cases = ((strict, None, [], 3), (strict, b"", [], 3), (strict, digest.encode() + b"  " + name.encode() + b"\n", [], 0),
                 (strict, digest.encode() + b"  " + name.encode() + b"\n", ["-i"], 3), (strict, None, ["-z", self.web.url + "/own.tar.gz"], 3),
                 (strict + f'  sha256 = {{ "{name}" = "{digest}" }}\n', None, [], 0),
                 (strict + f'  sha256 = {{ "{name}" = "{"0" * 64}" }}\n', None, [], 3))
        self.addCleanup(self.web.files.update, {f"/{name}": self.web.files["/" + name]})
        self.web.files["/" + name] = package
        for extra, sums, args, code in cases:
            self.web.files["/0.9.14/checksums.txt"] = sums if sums is not None else 404
            with self.subTest(extra=extra, sums=sums, args=args), \
                    support.Pairport(support.configuration(self.web.url, extra)) as service, IsolatedRoot() as root:
                root.write("/etc/os-release", OS_RELEASE)
                before = root.snapshot()
                pairing = service.deposit(connect_url=self.web.url + "/connected", fingerprint=support.FINGERPRINT, client_id=support.ID,
                                          password=support.PASSWORD)["pairing_code"]
                result = root.run(service.get("/" + pairing)[2], args)
                self.assertExit(result, code)
                if code == 0:
                    self.assertIn(b"sha256 is correct", result.stdout)
                    self.assertExit(root.run(service.get("/update")[2], ["-z", self.web.url + "/own.tar.gz"]), 3)
                    self.assertEqual(json.loads(root.read("/var/lib/rport/stand-in.json"))["version"], "0.9.14")
                else:
                    self.assertEqual(root.changes(before), {})
                    self.assertIn(b"sha256", result.stderr)

    def test_no_service(self):
        with IsolatedRoot() as root:
            result = self.install(root, ["-N"])
            self.assertIn(b"su -s /bin/sh rport", result.stdout)
            self.assertEqual(root.processes("rport"), [])
            self.assertFalse(root.exists("/etc/systemd/system/rport.service"))

    def test_systemd(self):
        with IsolatedRoot() as root:
            root.write("/usr/local/sbin/systemctl", SYSTEMCTL, 0o755)
            root.path("/run/systemd/system").mkdir(parents=True)
            before = root.snapshot()
            self.install(root, ["-x"])
            unit = root.read("/etc/systemd/system/rport.service").decode()
            self.assertIn("User=rport", unit)
            self.assertTrue(root.exists("/etc/systemd/system/multi-user.target.wants/rport.service"))
            self.install(root)
            self.assertEqual(root.read("/etc/systemd/system/rport.service").decode(), unit)
            self.install(root, ["-f", "-a", "joe"])
            self.assertIn("User=joe", root.read("/etc/systemd/system/rport.service").decode())
            self.assertEqual(len(root.processes("rport")), 1)
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            changed = root.changes(before)
            # -a joe left no trace of rport but the first user, who is not the client's any more
            self.assertEqual([p for p in changed if "rport" in p], [])

    def test_a_unit_that_runs_as_root_is_replaced(self):
        with IsolatedRoot() as root:
            root.write("/usr/local/sbin/systemctl", SYSTEMCTL, 0o755)
            root.path("/run/systemd/system").mkdir(parents=True)
            root.write("/etc/systemd/system/rport.service", "[Service]\nExecStart=/usr/local/bin/rport\n")
            self.install(root)
            self.assertIn(b"User=rport", root.read("/etc/systemd/system/rport.service"))

    def test_sysv_and_openrc(self):
        for tool, folder in (("update-rc.d", "/etc/init.d"), ("rc-update", "/run/openrc")):
            with self.subTest(tool=tool), IsolatedRoot() as root:
                root.write("/usr/local/sbin/" + tool, f'#!/bin/sh\necho "$*" >>/tmp/{tool}.log\n', 0o755)
                root.write("/usr/local/sbin/rc-service", "#!/bin/sh\n"
                           'case $2 in start) . /etc/init.d/rport; setsid su -s /bin/sh "$command_user" -c "$command $command_args" >/dev/null 2>&1 & ;; esac\n', 0o755)
                root.path(folder).mkdir(parents=True, exist_ok=True)
                script = self.script()
                if tool == "update-rc.d":  # process 1 of the test is no init
                    script = script.replace(b"pid1() { cat /proc/1/comm 2>/dev/null || :; }", b"pid1() { echo init; }")
                    self.assertIn(b"echo init", script)
                self.assertExit(root.run(script), 0)
                text = root.read("/etc/init.d/rport").decode()
                self.assertEqual(root.owner("/etc/init.d/rport"), (0, 0, 0o755))
                self.assertIn("rport", root.read(f"/tmp/{tool}.log").decode())
                self.assertEqual(len(root.processes("rport")), 1)
                self.assertNotEqual(os.stat(f"/proc/{root.processes('rport')[0]}").st_uid, 0)
                if tool == "update-rc.d":
                    self.assertEqual(root.call(["sh", "-n", "/etc/init.d/rport"]).returncode, 0)
                    self.assertEqual(root.call(["/etc/init.d/rport", "status"]).returncode, 0)
                    root.call(["/etc/init.d/rport", "stop"])
                    self.assertEqual(root.processes("rport"), [])
                    self.assertNotEqual(root.call(["/etc/init.d/rport", "status"]).returncode, 0)
                else:
                    self.assertIn("command_user='rport'", text)

    @support.essential
    def test_a_configuration_that_the_client_refuses_is_told_with_its_reason(self):
        """Its reason goes to standard error, which SysV and OpenRC show to nobody."""
        for tool, folder in (("update-rc.d", "/etc/init.d"), ("rc-update", "/run/openrc"), ("", "")):
            with self.subTest(tool=tool), IsolatedRoot() as root:
                if tool:
                    root.write("/usr/local/sbin/" + tool, "#!/bin/sh\n", 0o755)
                    root.path(folder).mkdir(parents=True, exist_ok=True)
                root.write("/usr/local/sbin/rc-service", "#!/bin/sh\n"
                           'case $2 in start) . /etc/init.d/rport; setsid su -s /bin/sh "$command_user" -c "$command $command_args" >/dev/null 2>&1 & ;; esac\n', 0o755)
                root.write(CONF, "[client]\n[remote-commands]\n  enabled = false\n[remote-scripts]\n  enabled = true\n")
                script = self.script()
                if tool == "update-rc.d":
                    script = script.replace(b"pid1() { cat /proc/1/comm 2>/dev/null || :; }", b"pid1() { echo init; }")
                result = root.run(script, env={"RPORT_INSTALLER_WAIT": "8"})
                self.assertExit(result, 4)
                self.assertIn(b"invalid config: remote scripts need remote commands", result.stderr)
                self.assertIn(b"Check /etc/rport/rport.conf", result.stderr)

    def test_users_before_are_removed_and_their_rule_is_handed_over(self):
        with IsolatedRoot() as root:
            self.sudoers(root)
            self.install(root, ["-s"])
            root.call(["useradd", "-r", "-d", "/var/lib/rport", "-M", "-U", "left"])  # by an earlier installer
            root.call(["useradd", "-m", "mine"])
            rule = root.read("/etc/sudoers.d/rport-all-cmd").replace(b"NOPASSWD: ALL", b"NOPASSWD: /usr/bin/id")
            root.path("/etc/sudoers.d/rport-all-cmd").write_bytes(rule)
            for name in ("joe", "ann"):
                self.install(root, ["-a", name])
                users = {line.split(":")[0] for line in root.read("/etc/passwd").decode().splitlines()}
                self.assertEqual(users & {"rport", "left", "joe", "ann", "mine"}, {name, "mine"})
                self.assertEqual(root.read("/etc/sudoers.d/rport-all-cmd"), rule.replace(b"rport", name.encode()))
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertNotRegex(root.read("/etc/passwd").decode(), "(?m)^(rport|left|joe|ann):")
            self.assertEqual(root.call(["id", "mine"]).returncode, 0)

    def test_network_cards(self):
        with IsolatedRoot() as root:
            root.call(["mount", "-t", "tmpfs", "tmpfs", "/sys"])
            cards = {"lan0": "10.1.2.3/24", "wan0": "198.51.100.7/24", "lan1": "192.168.0.1/24", "veth0": "8.8.8.8/32"}
            for card in cards:
                root.path(f"/sys/class/net/{card}").mkdir(parents=True)
                if card != "veth0":
                    root.path(f"/sys/class/net/{card}/device").mkdir()
            root.write("/sys/class/net/lan0/speed", "2500\n")
            root.write("/sys/class/net/wan0/speed", "-1\n")
            root.write("/usr/local/sbin/ip", "#!/bin/sh\ncase $4 in\n" + "".join(f"{c}) echo '    inet {a} scope global' ;;\n" for c, a in cards.items()) + "esac\n", 0o755)
            self.install(root)
            monitoring = self.config(root)["monitoring"]
            self.assertEqual((monitoring["net_lan"], monitoring["net_wan"]), (["lan0", "2500"], ["wan0", "1000"]))

    def deb(self, root, version="0.9.14"):
        """A stand-in deb with what the real one has: program, conffile, user, no start."""
        support.without_packages_of_busybox()
        folder = "/tmp/deb"
        root.write(folder + "/DEBIAN/control", f"Package: rport\nVersion: {version}\nArchitecture: amd64\nMaintainer: x <x@example.com>\nDescription: x\n")
        root.write(folder + "/DEBIAN/conffiles", "/etc/rport/rport.conf\n")
        root.write(folder + "/usr/bin/rport", client(version), 0o755)
        root.write(folder + "/etc/rport/rport.conf", support.EXAMPLE.read_bytes())
        # Seen in the real package (0.9.14): daemon-reload whether or not there is a systemd.
        root.write(folder + "/DEBIAN/postinst", "#!/bin/sh\nset -e\nid rport >/dev/null 2>&1 || useradd -r -d /var/lib/rport -m -s /bin/false -U rport\n"
                   "systemctl daemon-reload\n", 0o755)
        root.call(["chmod", "-R", "go+rX", folder])
        made = root.call(["dpkg-deb", "-b", folder, "/tmp/rport.deb"])
        self.assertEqual(made.returncode, 0, made.stderr)
        return root.read("/tmp/rport.deb")

    def systemd(self, root):
        root.write("/usr/local/sbin/systemctl", SYSTEMCTL, 0o755)
        root.path("/run/systemd/system").mkdir(parents=True)

    def test_a_deb_without_systemd_is_refused(self):
        with IsolatedRoot() as root:
            self.web.files["/rport.deb"] = self.deb(root)
            root.call(["rm", "-f", "/usr/bin/systemctl", "/bin/systemctl"])
            before = root.snapshot()
            result = self.install(root, ["-z", self.web.url + "/rport.deb"], code=1)
            self.assertIn(b"a deb of the client needs systemd", result.stderr)
            self.assertEqual(root.changes(before), {})
            # What the refusal spares: the package itself.
            self.assertNotEqual(root.call(["dpkg", "-i", "/tmp/rport.deb"]).returncode, 0)

    def test_deb_by_address(self):
        with IsolatedRoot() as root:
            self.systemd(root)
            self.web.files["/rport.deb"] = self.deb(root)
            self.web.files["/rport15.deb"] = self.deb(root, "0.9.15")
            before = root.snapshot()
            self.install(root, ["-z", self.web.url + "/rport.deb"])
            self.assertTrue(root.exists("/usr/bin/rport"))
            self.assertFalse(root.exists("/usr/local/bin/rport"))
            self.assertEqual(self.config(root)["client"]["auth"], f"{support.ID}:{support.PASSWORD}")
            self.install(root)  # pair again, by the package's own program
            self.install(root, ["-p", "-f"], code=1)
            result = root.run(self.fixed("update"), ["-z", self.web.url + "/rport15.deb"])
            self.assertExit(result, 0)
            self.assertEqual(json.loads(root.read("/var/lib/rport/stand-in.json"))["version"], "0.9.15")
            self.assertEqual(self.config(root)["client"]["auth"], f"{support.ID}:{support.PASSWORD}")
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertEqual(root.changes(before), {})

    def test_deb_from_the_repository(self):
        with support.Pairport(support.configuration(self.web.url, "  use_repositories = true")) as service, IsolatedRoot() as root:
            def script():
                code = service.deposit(connect_url=self.web.url + "/connected", fingerprint=support.FINGERPRINT, client_id=support.ID,
                                       password=support.PASSWORD)["pairing_code"]
                return service.get("/" + code)[2]
            root.write("/etc/os-release", OS_RELEASE)
            self.systemd(root)
            self.deb(root)
            root.write("/usr/local/sbin/apt-get", '#!/bin/sh\necho "$*" >>/tmp/apt.log\ncase "$*" in *install*) exec dpkg -i /tmp/rport.deb ;; esac\n', 0o755)
            before = root.snapshot()
            # A repository without this release: the archive is used.
            self.assertExit(root.run(script()), 0)
            self.assertTrue(root.exists("/usr/local/bin/rport"))
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertEqual(root.changes(before), {})
            for path, content in (("/deb/dists/bookworm/Release", b"x"), ("/keys/dearmor.gpg", b"key")):
                self.web.files[path] = content
                self.addCleanup(self.web.files.pop, path)
            self.assertExit(root.run(script(), ["-V", "0.9.14"]), 0)
            self.assertIn(b"install rport=0.9.14", root.read("/tmp/apt.log"))
            self.assertTrue(root.exists("/usr/bin/rport"))
            self.assertEqual(root.read("/usr/share/keyrings/rport.gpg"), b"key")
            self.assertEqual(root.read("/etc/apt/sources.list.d/rport.list").decode(),
                             f"deb [signed-by=/usr/share/keyrings/rport.gpg] {self.web.url}/deb bookworm stable\n")
            self.assertExit(root.run(self.fixed("update")), 0)
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertEqual(root.changes(before), {})
            # A broken package: nothing is left.
            root.write("/usr/local/sbin/apt-get", "#!/bin/sh\ncase $* in *update*) exit 0 ;; esac\necho 'E: broken' >&2\nexit 100\n", 0o755)
            before = root.snapshot()
            result = root.run(script())
            self.assertExit(result, 3)
            self.assertIn(b"E: broken", result.stderr)
            self.assertEqual(root.changes(before), {})
            self.assertExit(root.run(script(), ["-p"]), 0)

    def test_rpm_repository(self):
        support.without_packages_of_busybox()
        with support.Pairport(support.configuration(self.web.url, "  use_repositories = true")) as service, IsolatedRoot() as root:
            code = service.deposit(connect_url=self.web.url + "/connected", fingerprint=support.FINGERPRINT, client_id=support.ID,
                                   password=support.PASSWORD)["pairing_code"]
            self.systemd(root)
            root.write("/etc/os-release", 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.3"\n')
            root.write("/tmp/client", client(), 0o755)
            root.path("/etc/yum.repos.d").mkdir()
            root.write("/usr/local/sbin/rpm", '#!/bin/sh\ncase $1 in -q) test -e /tmp/installed ;; -e) rm -f /tmp/installed /usr/bin/rport ;; esac\n', 0o755)
            root.write("/usr/local/sbin/dnf", '#!/bin/sh\necho "$*" >>/tmp/dnf.log\ncp /tmp/client /usr/bin/rport; chmod 755 /usr/bin/rport; touch /tmp/installed\n', 0o755)
            for path, content in (("/rpm/unstable/repodata/repomd.xml", b"x"), ("/keys/key.gpg", b"key")):
                self.web.files[path] = content
                self.addCleanup(self.web.files.pop, path)
            before = root.snapshot()
            self.assertExit(root.run(service.get("/" + code)[2], ["-t"]), 0)
            self.assertIn(f"baseurl={self.web.url}/rpm/unstable/\n", root.read("/etc/yum.repos.d/rport.repo").decode())
            self.assertIn(b"-y install rport", root.read("/tmp/dnf.log"))
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertEqual(root.changes(before), {})


OS_RELEASE = 'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'

if __name__ == "__main__":
    support.main(processes=2)
