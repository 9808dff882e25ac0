# SPDX-License-Identifier: MIT
"""The Linux scripts with the Debian package of the client, from a signed apt repository and from an address."""

import shutil
import tomllib

from system_test import CONF, EXAMPLE, SystemTest, client_archive, roots
from stand_in_deb import Repository, deb


class PackageTest(SystemTest):
    """A repository at the web server."""

    extra = "use_repositories = true"
    repository = None

    def setUp(self):
        for tool in ("gpg", "gpg-agent"):
            if not shutil.which(tool):
                self.skipTest(f"SKIPPED: no {tool} (Debian package {tool}), so no signed repository")
        super().setUp()

    @classmethod
    def packages(cls):
        cls.repository = Repository(roots.release())
        cls.addClassCleanup(cls.repository.close)
        return {**super().packages(), **cls.repository.files({"stable": {"0.9.14": deb()}, "unstable": {"0.9.15": deb("0.9.15")}})}

    def publish(self, **components):
        """Replaces what the repository offers until the end of the test."""
        before = dict(self.web.files)
        self.addCleanup(self.web.files.update, before)
        self.web.files.update(self.repository.files(components))

    def dpkg(self, machine):
        """State and version of the package."""
        return machine.call(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", "rport"]).stdout.decode()

    def assertGone(self, machine, before):
        super().assertGone(machine, before)
        self.assertEqual(self.dpkg(machine), "")


class Lifecycle:
    """The life of a client from a package, under each init system."""

    def test_from_the_repository_over_reboot_to_removal(self):
        machine = self.machine()
        before = machine.snapshot()
        self.install(machine, ["-x"])
        self.assertEqual(self.dpkg(machine), "installed 0.9.14")
        self.assertConnected(machine)
        self.assertService(machine)
        self.assertTrue(machine.exists("/etc/apt/sources.list.d/rport.list"))
        self.assertFalse(machine.exists("/usr/local/bin/rport"))
        # Whoever administers the machine can go on with apt alone.
        self.assertEqual(machine.call(["apt-get", "update"]).returncode, 0)
        self.assertIn(b"0.9.14", machine.call(["apt-cache", "policy", "rport"]).stdout)
        self.reboot(machine)
        first = self.assertConnected(machine)
        other = ("connected", "client-2", "other 'word'")
        self.install(machine, deposit=other)
        self.assertNotEqual(self.assertConnected(machine, *other[1:]), first)
        self.assertTrue(tomllib.loads(machine.read(CONF).decode())["remote-scripts"]["enabled"])  # kept
        self.uninstall(machine)
        self.assertGone(machine, before)

    def test_update_from_the_repository_and_the_way_back(self):
        machine = self.machine()
        before = machine.snapshot()
        self.install(machine)
        config = machine.read(CONF)
        self.publish(stable={"0.9.14": deb(), "0.9.15": deb("0.9.15", example=EXAMPLE.read_bytes() + b"\n[brand-new]\n  key = 'value'\n")})
        self.update(machine)
        self.assertEqual(self.dpkg(machine), "installed 0.9.15")
        self.assertConnected(machine, version="0.9.15")
        self.assertService(machine)
        new = tomllib.loads(machine.read(CONF).decode())
        self.assertEqual(new.pop("brand-new"), {"key": "value"})
        self.assertEqual(new, tomllib.loads(config.decode()))
        self.publish(stable={"0.9.16": deb("0.9.16", "silent")})
        said = self.update(machine, code=4)
        self.assertIn("put back and is connected", said)
        self.assertConnected(machine, version="0.9.15")
        self.assertService(machine)
        self.exits(machine, machine.run(self.script(), ["-u"]), 0)
        self.assertGone(machine, before)

    def test_from_an_address(self):
        machine = self.machine()
        before = machine.snapshot()
        self.install(machine, ["-z", self.serve("/own/rport_0.9.14_amd64.deb", deb())])
        self.assertEqual(self.dpkg(machine), "installed 0.9.14")
        self.assertConnected(machine)
        self.assertService(machine)
        self.update(machine, ["-z", self.serve("/own/rport_0.9.15_amd64.deb", deb("0.9.15"))])
        self.assertEqual(self.dpkg(machine), "installed 0.9.15")
        self.assertConnected(machine, version="0.9.15")
        said = self.update(machine, ["-z", self.serve("/own/crash.deb", deb("0.9.16", "crash"))], code=4)
        self.assertIn("put back and is connected", said)
        self.assertConnected(machine, version="0.9.15")
        self.assertEqual(self.dpkg(machine), "installed 0.9.15")  # dpkg knows of the way back
        # The same package again is no news, and the configuration outlives it.
        running, config = machine.processes("rport"), machine.read(CONF)
        self.update(machine, ["-z", self.web.url + "/own/rport_0.9.15_amd64.deb"])
        self.assertEqual((machine.processes("rport"), machine.read(CONF)), (running, config))
        # No repository has it: nothing is pretended.
        self.assertIn("no repository here has the client", self.update(machine, ["-v", "0.9.17"], code=1))
        # The archive does not go over a package.
        running = machine.processes("rport")
        self.update(machine, ["-z", self.serve("/own/rport.tar.gz", client_archive("0.9.17"))], code=1)
        self.assertEqual(machine.processes("rport"), running)
        self.exits(machine, machine.run(self.fixed("update"), ["-u"]), 0)
        self.assertGone(machine, before)

    def test_a_package_that_cannot_be_configured_leaves_the_machine_as_it_was(self):
        machine = self.machine()
        before = machine.snapshot()
        said = self.install(machine, ["-z", self.serve("/own/broken.deb", deb(broken="exit 1"))], code=3)
        self.assertIn("post-installation script", said)
        self.assertGone(machine, before)

    def test_wrong_credentials(self):
        machine = self.machine()
        said = self.install(machine, code=4, deposit=("refused",))
        self.assertIn("Authentication failed", said)
        self.assertFalse(machine.active())
        self.install(machine)
        self.assertConnected(machine)


class Deb(Lifecycle, PackageTest):
    def test_unstable(self):
        machine = self.machine()
        self.install(machine, ["-t"])
        self.assertEqual(self.dpkg(machine), "installed 0.9.15")
        self.assertConnected(machine, version="0.9.15")

    def test_a_repository_with_the_wrong_key_is_refused(self):
        machine = self.machine()
        before = machine.snapshot()
        other = Repository(roots.release())
        self.addCleanup(other.close)
        old = self.web.files["/keys/dearmor.gpg"]
        self.addCleanup(self.web.files.update, {"/keys/dearmor.gpg": old})
        self.web.files["/keys/dearmor.gpg"] = other.key
        self.install(machine, code=3)
        self.assertGone(machine, before)


class WithoutSystemd:
    """The package needs systemd; the archive does not."""

    def test_the_archive_takes_its_place(self):
        machine = self.machine()
        before = machine.snapshot()
        said = self.install(machine, ["-z", self.serve("/own/rport_0.9.14_amd64.deb", deb())], code=1)
        self.assertIn("a deb of the client needs systemd", said)
        self.assertGone(machine, before)
        self.install(machine)
        self.assertEqual(self.dpkg(machine), "")
        self.assertFalse(machine.exists("/etc/apt/sources.list.d/rport.list"))
        self.assertTrue(machine.exists("/usr/local/bin/rport"))
        self.assertConnected(machine)
        self.uninstall(machine)
        self.assertGone(machine, before)


class DebUnderSysV(WithoutSystemd, PackageTest):
    init = "sysv"


class DebWithoutInit(WithoutSystemd, PackageTest):
    """A container."""

    init = "none"


if __name__ == "__main__":
    import runner
    runner.run()
