# SPDX-License-Identifier: MIT
"""The scripts on a machine that the real systemd runs: installed, paired again, updated, rolled back, removed."""

import json
import os
import unittest

import support
from isolated_root import SystemdRoot


class Systemd(support.InstallerTest):
    def test_a_life_under_systemd(self):
        with SystemdRoot() as root:
            before = root.snapshot()
            self.assertExit(root.run(self.script(), ["-x"]), 0)
            pids = root.processes("rport")
            self.assertEqual(len(pids), 1)
            self.assertNotEqual(os.stat(f"/proc/{pids[0]}").st_uid, 0)
            for question, answer in (("is-active", "active"), ("is-enabled", "enabled")):
                self.assertEqual(root.call(["systemctl", question, "rport"]).stdout.decode().strip(), answer)
            with open(f"/proc/{pids[0]}/cgroup", "rb") as cgroup:
                self.assertIn(b"/rport.service", cgroup.read())
            # again, with other credentials
            self.assertExit(root.run(self.script("connected", "second-id", "second-word")), 0)
            self.assertEqual(json.loads(root.read("/var/lib/rport/stand-in.json"))["auth"], "second-id:second-word")
            # as another user
            self.assertExit(root.run(self.script(), ["-f", "-a", "joe"]), 0)
            self.assertExit(root.run(self.script(), ["-a", "rport"]), 0)
            # update, and an update that does not connect
            self.assertExit(root.run(self.fixed("update"), ["-v", "0.9.15"]), 0)
            self.assertEqual(json.loads(root.read("/var/lib/rport/stand-in.json"))["version"], "0.9.15")
            self.web.files["/bad.tar.gz"] = support.client_archive("0.9.16", "silent")
            result = root.run(self.fixed("update"), ["-z", self.web.url + "/bad.tar.gz"], env={"RPORT_INSTALLER_WAIT": "3"})
            self.assertExit(result, 4)
            self.assertIn(b"put back and is connected", result.stderr)
            self.assertEqual(json.loads(root.read("/var/lib/rport/stand-in.json"))["version"], "0.9.15")
            # refused credentials: stopped
            self.assertExit(root.run(self.script("refused")), 4)
            self.assertEqual(root.processes("rport"), [])
            self.assertExit(root.run(self.fixed("uninstall")), 0)
            self.assertEqual(root.call(["systemctl", "cat", "rport"]).returncode, 1)
            left = [path for path in root.changes(before) if "rport" in path]
            self.assertEqual(left, [])


if __name__ == "__main__":
    support.main()
