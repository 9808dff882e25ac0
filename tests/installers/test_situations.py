# SPDX-License-Identifier: MIT
"""Machines as they are found: locks, masks, groups, missing folders, other tools, other languages, proxies."""

import json
import os
import pathlib
import shutil
import subprocess

import support
from support import IsolatedRoot
import test_options
from test_options import OS_RELEASE, SYSTEMCTL

CONF = "/etc/rport/rport.conf"
UNIT = "/etc/systemd/system/rport.service"
HOLD = ("import fcntl, sys, time\nlock = open('/var/lib/dpkg/lock-frontend', 'w')\nfcntl.lockf(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\ntime.sleep(float(sys.argv[1]))\n")


class Situations(support.InstallerTest):
    config, install, deb = test_options.Options.config, test_options.Options.install, test_options.Options.deb

    def systemd(self, root):
        root.write("/usr/local/sbin/systemctl", SYSTEMCTL, 0o755)
        root.path("/run/systemd/system").mkdir(parents=True)

    def lock(self, root, seconds):
        """The real lock of the real dpkg, as unattended-upgrades holds it."""
        holder = root.popen(["/usr/bin/python3", "-c", HOLD, str(seconds)], stdout=subprocess.PIPE)
        self.addCleanup(holder.stdout.close)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.assertEqual(holder.stdout.readline(), b"held\n")

    def test_a_lock_of_dpkg_that_stays_means_the_archive(self):
        with support.Pairport(support.configuration(self.web.url, "  use_repositories = true")) as service, IsolatedRoot() as root:
            root.write("/etc/os-release", OS_RELEASE)
            self.systemd(root)
            for path, content in (("/deb/dists/bookworm/Release", b"x"), ("/keys/dearmor.gpg", b"key")):
                self.web.files[path] = content
                self.addCleanup(self.web.files.pop, path)
            self.lock(root, 600)
            code = service.deposit(connect_url=self.web.url + "/connected", fingerprint=support.FINGERPRINT, client_id=support.ID,
                                   password=support.PASSWORD)["pairing_code"]
            # A third of the patience; the client needs less.
            script = service.get("/" + code)[2].replace(b"WAIT * 3", b"3")
            self.assertIn(b"Timeout=$((3))", script)
            result = root.run(script)
            self.assertExit(result, 0)
            self.assertIn(b"the lock of dpkg is held", result.stderr)
            self.assertTrue(root.exists("/usr/local/bin/rport"))
            self.assertFalse(root.exists("/etc/apt/sources.list.d/rport.list"))

    def test_a_lock_of_dpkg_that_is_let_go_is_waited_for(self):
        with IsolatedRoot() as root:
            self.systemd(root)
            self.web.files["/rport.deb"] = self.deb(root)
            self.lock(root, 4)
            self.install(root, ["-z", self.web.url + "/rport.deb"])
            self.assertTrue(root.exists("/usr/bin/rport"))

    def test_a_group_that_exists_is_used_and_stays_after_a_failure(self):
        with IsolatedRoot() as root:
            root.call(["/usr/sbin/groupadd", "-r", "-g", "777", "rport"])
            root.path("/etc/sudoers.d").mkdir(exist_ok=True)
            root.write("/usr/local/sbin/visudo", "#!/bin/sh\nexit 1\n", 0o755)
            before = root.snapshot()
            self.install(root, ["-s"], code=1)
            self.assertEqual(set(root.changes(before)) - {"/etc/gshadow"}, set())
            self.assertIn(b"rport:x:777:", root.read("/etc/group"))
            self.install(root, ["-k"])
            self.assertEqual(root.owner("/var/lib/rport")[1], 777)
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertNotIn(b"rport", root.read("/etc/passwd"))

    def test_a_masked_unit_is_named_and_stays(self):
        for unit in (UNIT, "/run/systemd/system/rport.service"):
            with self.subTest(unit=unit), IsolatedRoot() as root:
                self.systemd(root)
                root.path(unit).symlink_to("/dev/null")
                before = root.snapshot()
                result = self.install(root, code=1)
                self.assertIn(b"systemctl unmask rport", result.stderr)
                self.assertEqual(root.changes(before), {})
                self.install(root, ["-N"])
                self.assertExit(root.run(self.fixed("uninstall")), 0)
                self.assertEqual(os.readlink(root.path(unit)), "/dev/null")

    def test_folders_and_unit_can_be_read_by_everyone(self):
        with IsolatedRoot() as root:
            self.systemd(root)
            shutil.rmtree(root.path("/usr/local/bin"))
            self.install(root, ["-i"])
            self.assertEqual(root.owner("/usr/local/bin"), (0, 0, 0o755))
            self.assertEqual(root.owner(UNIT), (0, 0, 0o644))
            self.assertEqual(root.owner("/etc/systemd/system/multi-user.target.wants"), (0, 0, 0o755))
        with IsolatedRoot("busybox") as root:
            shutil.rmtree(root.path("/usr/local"))
            self.install(root)
            for path in ("/usr/local", "/usr/local/bin"):
                self.assertEqual(root.owner(path), (0, 0, 0o755))

    def test_a_curl_from_a_snap(self):
        """It can open no file below /tmp: exit code 23 for -o was seen with a real one; 26 is what curl says for a -K that it cannot read."""
        with IsolatedRoot() as root:
            root.write("/usr/local/bin/curl", "#!/bin/sh\nlast=''\nfor word; do\n  case $last$word in -o*) exit 23 ;; -K | -K-) ;; -K*) exit 26 ;; esac\n"
                       "  case $word in -K) last=-K ;; *) last='' ;; esac\ndone\nexec /usr/bin/curl \"$@\"\n", 0o755)
            root.path("/tmp/x").write_text("")
            self.assertEqual(root.call(["/usr/local/bin/curl", "-o", "/tmp/y", self.web.url]).returncode, 23)
            env = {"RPORT_INSTALLER_DL_USERNAME": "u", "RPORT_INSTALLER_DL_PASSWORD": "p"}
            self.install(root, ["-z", self.web.url + "/" + support.ARCHIVE.format("0.9.14")], env=env)
            self.assertEqual(self.web.requests[-1][1]["Authorization"], "Basic dTpw")

    def test_a_full_disk_is_no_download(self):
        with IsolatedRoot() as root:
            root.path("/tmp/small").mkdir()
            root.call(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", "/tmp/small"])
            before = root.snapshot()
            self.install(root, code=3, env={"TMPDIR": "/tmp/small"})
            self.assertEqual(root.changes(before), {})

    def test_a_proxy_that_alone_leads_to_the_server(self):
        """The web server of the test is the proxy, too; the server's name has no address here."""
        for tool in ("curl", "busybox") if support.TOOLS == "busybox" else ("curl", "wget", "busybox"):  # its shell runs its own wget
            with self.subTest(tool=tool), IsolatedRoot() as root:
                if tool != "curl":
                    root.path("/usr/bin/curl").unlink()
                if tool == "busybox":
                    root.call(["ln", "-sf", support.busybox(), "/usr/bin/wget"])
                proxy = self.web.url.replace("127.0.0.1", "localhost")
                env = {"http_proxy": proxy, "no_proxy": "127.0.0.1"}
                self.web.files["http://rport.invalid/"] = b"this is the server"
                if tool == "busybox":  # it knows no no_proxy
                    for name in list(self.web.files):
                        self.web.files.setdefault(self.web.url + name, self.web.files[name])
                self.install(root, url="http://rport.invalid/connected", env=env)
                self.assertEqual(self.config(root)["client"]["proxy"], proxy)
                # A direct way is better, and a proxy that is set stays.
                self.install(root, env=env)
                self.assertEqual(self.config(root)["client"]["proxy"], proxy)
                self.install(root, ["-f"], env=env)
                self.assertNotIn("proxy", self.config(root)["client"])

    def test_rpm_on_debian_leaves_no_database(self):
        """Seen with rpm 4.18 of Debian 12: rpm -q makes $HOME/.rpmdb."""
        with IsolatedRoot() as root:
            root.write("/usr/local/sbin/rpm", '#!/bin/sh\nmkdir -p "$HOME/.rpmdb"\necho "package rport is not installed"\nexit 1\n', 0o755)
            for script, args in ((self.script(), ["-n"]), (self.script(), []), (self.fixed("update"), []), (self.fixed("uninstall"), ["-n"]),
                                 (self.fixed("uninstall"), [])):
                self.assertExit(root.run(script, args), 0)
                self.assertFalse(root.exists("/root/.rpmdb"))

    def rpm(self, root, *packages):
        """The real rpm, which is no part of every machine, and packages of the client, as name -> program."""
        support.without_packages_of_busybox()
        for name in ("rpm", "rpmbuild"):
            if not os.path.exists("/usr/bin/" + name):
                self.skipTest("SKIPPED: no rpm on this machine (Debian package rpm)")
        root.write("/usr/local/sbin/rpm", pathlib.Path("/usr/bin/rpm").read_bytes(), 0o755)
        made = {}
        for version, play in packages:
            root.write("/tmp/rpm/rport", support.client(version, play), 0o755)
            root.write("/tmp/rpm/rport.conf", support.EXAMPLE.read_bytes())
            # Program and configuration as in the real package; no scripts, for which this database has no shell.
            root.write("/tmp/rpm/spec", f"""Name: rport
Version: {version}
Release: 1
Summary: x
License: MIT
AutoReqProv: no
%description
x
%install
install -D /tmp/rpm/rport %{{buildroot}}/usr/bin/rport
install -D -m 640 /tmp/rpm/rport.conf %{{buildroot}}/etc/rport/rport.conf
%files
/usr/bin/rport
%config(noreplace) /etc/rport/rport.conf
""")
            done = root.call(["/usr/bin/rpmbuild", "--quiet", "-bb", "--define", "_topdir /tmp/rpm/top", "--define", "__os_install_post %{nil}",
                              "--define", "debug_package %{nil}", "--target", "x86_64", "/tmp/rpm/spec"])
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            made[version] = root.read(f"/tmp/rpm/top/RPMS/x86_64/rport-{version}-1.x86_64.rpm")
        return made

    def test_the_real_rpm_of_debian(self):
        """It makes a database in the home of whoever asks: what the stand-in above does."""
        with IsolatedRoot() as root:
            self.rpm(root)
            root.call(["rpm", "-q", "rport"])
            self.assertTrue(root.exists("/root/.rpmdb"))
            shutil.rmtree(root.path("/root/.rpmdb"))
            before = root.snapshot()
            for script, args in ((self.script(), ["-n"]), (self.script(), []), (self.fixed("update"), ["-v", "0.9.15"]),
                                 (self.fixed("uninstall"), ["-n"]), (self.fixed("uninstall"), [])):
                self.assertExit(root.run(script, args), 0)
                self.assertFalse(root.exists("/root/.rpmdb"))
            self.assertEqual(root.changes(before), {})

    def test_a_client_from_an_rpm(self):
        """With the database where distributions of rpm have it."""
        with IsolatedRoot() as root:
            for version, content in self.rpm(root, ("0.9.14", ""), ("0.9.15", "")).items():
                self.web.files[f"/{version}.rpm"] = content
            root.write("/etc/rpm/macros", "%_dbpath /var/lib/rpm\n")
            self.assertEqual(root.call(["rpm", "--initdb"]).returncode, 0)
            before = root.snapshot()

            def version():
                return (root.call(["rpm", "-q", "rport"]).stdout.decode().strip(),
                        json.loads(root.read("/var/lib/rport/stand-in.json"))["version"])
            self.install(root, ["-z", self.web.url + "/0.9.14.rpm"])
            self.assertEqual(version(), ("rport-0.9.14-1.x86_64", "0.9.14"))
            self.assertFalse(root.exists("/usr/local/bin/rport"))
            self.install(root, ["-p", "-f"], code=1)
            # The archive does not go over the package, another package does.
            self.assertExit(root.run(self.fixed("update"), ["-z", self.web.url + "/" + support.ARCHIVE.format("0.9.15")]), 1)
            self.assertExit(root.run(self.fixed("update"), ["-z", self.web.url + "/0.9.15.rpm"]), 0)
            self.assertEqual(version(), ("rport-0.9.15-1.x86_64", "0.9.15"))
            self.assertEqual(self.config(root)["client"]["auth"], f"{support.ID}:{support.PASSWORD}")
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertNotEqual(root.call(["rpm", "-q", "rport"]).returncode, 0)
            self.assertEqual([path for path in root.changes(before) if not path.startswith("/var/lib/rpm")], [])

    @support.essential
    def test_new_sections_without_cksum(self):
        with IsolatedRoot() as root:
            self.install(root)
            for path in ("/usr/bin/cksum", "/usr/local/sbin/cksum"):
                root.call(["rm", "-f", path])
            self.web.files["/new.tar.gz"] = support.client_archive("0.9.15", example=support.EXAMPLE.read_bytes() + b"\n[brand-new]\n  key = 'value'\n")
            self.assertExit(root.run(self.fixed("update"), ["-z", self.web.url + "/new.tar.gz"]), 0)
            self.assertEqual(self.config(root)["brand-new"], {"key": "value"})

    @support.essential
    def test_a_mount_point_is_emptied_and_named(self):
        with IsolatedRoot() as root:
            root.path("/var/lib/rport").mkdir()
            root.call(["mount", "-t", "tmpfs", "tmpfs", "/var/lib/rport"])
            self.install(root)
            result = root.run(self.fixed("uninstall"))
            self.assertExit(result, 0)
            self.assertIn(b"/var/lib/rport could not be removed", result.stderr)
            self.assertEqual(list(root.path("/var/lib/rport").iterdir()), [])
            self.assertFalse(root.exists(CONF))
            self.assertNotIn(b"rport:", root.read("/etc/passwd"))

    def test_wget_in_other_languages(self):
        """The server answers 404 or 405 to /: it is there. wget says so in the user's language, wget2 not at all."""
        with IsolatedRoot() as root:
            if not root.exists("/usr/bin/localedef") or not root.exists("/usr/share/i18n/locales/de_DE"):
                self.skipTest("SKIPPED: no locales on this machine (Debian package locales)")
            root.path("/usr/lib/locale").mkdir(exist_ok=True)
            self.assertEqual(root.call(["localedef", "-i", "de_DE", "-f", "UTF-8", "de_DE.UTF-8"], timeout=300).returncode, 0)
            root.path("/usr/bin/curl").unlink()
            wget = root.read("/usr/bin/wget")
            for tool in ("wget", "wget2"):
                if not root.exists("/usr/bin/" + tool):
                    self.skipTest("SKIPPED: no wget2 on this machine (Debian package wget2)")
                root.path("/usr/bin/wget").unlink()
                root.write("/usr/bin/wget", root.read("/usr/bin/wget2") if tool == "wget2" else wget, 0o755)
                for answer in (401, 404, 405, 500) if support.LONG else (401, 404):
                    self.web.files["/"] = answer
                    self.addCleanup(self.web.files.pop, "/", None)
                    with self.subTest(tool=tool, answer=answer):
                        self.install(root, env={"LANG": "de_DE.UTF-8", "LANGUAGE": "de"})
                # A server that is not there is none.
                result = self.install(root, code=2, url="http://127.0.0.1:1/x", env={"LANG": "de_DE.UTF-8", "LANGUAGE": "de"})
                self.assertIn(b"cannot reach the server", result.stderr)


if __name__ == "__main__":
    support.main(processes=2)
