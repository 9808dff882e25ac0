# SPDX-License-Identifier: MIT
"""The uninstall script from start to end under PowerShell 7 with stubbed Windows cmdlets."""

import os
import re
import shutil
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pssupport as support  # noqa: E402

CONFIG = "[client]\nserver = 'x'\nauth = 'a:b'\nfingerprint = 'c'\n"


class Uninstall(unittest.TestCase):
    def uninstall(self, machine, *arguments):
        with support.pairport() as service:
            script = support.fetch(service, "uninstall")
        result = machine.run(script, *arguments)
        self.assertNotIn("Unexpected error", result.stdout + result.stderr)
        return result

    def installed(self, machine, product=True):
        machine.install(config=CONFIG, product=product)
        for name in ("rport.log", "rport.conf.20260101-000000.bak", "client_attributes.json"):
            (machine.client_folder / name).write_text("x")
        (machine.client_folder / "data").mkdir()
        (machine.client_folder / "data" / "state.json").write_text("{}")
        other = machine.program_files / "other"
        other.mkdir()
        (other / "file").write_text("not ours")

    def assert_removed(self, machine, result):
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        self.assertEqual("", result.stderr)
        self.assertIn("* The RPort client is removed.", result.stdout)
        self.assertEqual(["other"], [p.name for p in machine.program_files.iterdir()])
        self.assertEqual([], list(machine.state.iterdir()))

    def test_msi(self):
        with support.Windows() as machine:
            self.installed(machine)
            self.assert_removed(machine, self.uninstall(machine))
            record = "\n".join(machine.record)
            self.assertIn("Stop-Service rport", record)
            self.assertIn("msiexec.exe /x {01234567-89AB-CDEF-0123-456789ABCDEF} /qn /norestart", record)

    def test_zip(self):
        with support.Windows() as machine:
            self.installed(machine, product=False)
            self.assert_removed(machine, self.uninstall(machine))
            self.assertNotIn("msiexec", "\n".join(machine.record))
            self.assertIn("sc.exe delete rport", machine.record)

    def test_not_installed(self):
        with support.Windows() as machine:
            before = machine.tree()
            result = self.uninstall(machine)
            self.assertEqual(0, result.returncode)
            self.assertIn("is not installed", result.stdout)
            self.assertEqual(before, machine.tree())

    def test_twice(self):
        with support.Windows() as machine:
            self.installed(machine)
            self.assert_removed(machine, self.uninstall(machine))
            self.assertEqual(0, self.uninstall(machine).returncode)

    def test_remains_of_a_half_installation(self):
        for missing in ("service", "folder"):
            with support.Windows() as machine:
                self.installed(machine, product=False)
                if missing == "service":
                    (machine.state / "service").unlink()
                    (machine.state / "service.status").unlink()
                else:
                    shutil.rmtree(machine.client_folder)
                self.assert_removed(machine, self.uninstall(machine))

    def test_whatif_changes_nothing(self):
        with support.Windows() as machine:
            self.installed(machine)
            before = machine.tree()
            result = self.uninstall(machine, "-WhatIf")
            self.assertEqual(0, result.returncode)
            self.assertEqual(4, result.stdout.count("What if: "), result.stdout)
            self.assertNotIn("is removed", result.stdout)
            self.assertEqual(before, machine.tree())
            self.assertEqual([], machine.record)

    def test_the_server_beside_the_client_is_not_removed(self):
        with support.Windows() as machine:
            self.installed(machine)
            (machine.client_folder / "rportd.exe").write_text("")
            before = machine.tree()
            result = self.uninstall(machine)
            self.assertEqual(1, result.returncode)
            self.assertIn("rportd.exe", result.stderr)
            self.assertEqual(before, machine.tree())

    def test_a_foreign_folder_is_not_emptied(self):
        """A service that somebody registered by hand from a folder with other things in it."""
        with support.Windows() as machine:
            machine.client_folder = machine.folder / "Tools"
            machine.exe = machine.client_folder / "rport.exe"
            machine.config_path = machine.client_folder / "rport.conf"
            machine.install(config=CONFIG, product=False)
            (machine.client_folder / "important.txt").write_text("keep")
            result = self.uninstall(machine)
            self.assertEqual(0, result.returncode, result.stderr)
            self.assertEqual(["important.txt"], [p.name for p in machine.client_folder.iterdir()])
            self.assertIsNone(machine.status())

    def test_run_by_the_client_it_hands_over(self):
        with support.Windows() as machine:
            self.installed(machine)
            machine.world["Parent"] = "rport.exe"
            result = self.uninstall(machine)
            self.assertEqual(0, result.returncode, result.stderr)
            self.assertEqual("Running", machine.status())
            tasks = [line for line in machine.record if line.startswith("Register-ScheduledTask")]
            self.assertEqual(1, len(tasks))
            command = re.search(r"-Command \"Start-Sleep -Seconds 10; & '([^']+)'; Remove-Item -LiteralPath '([^']+)' -Recurse -Force\"$", tasks[0])
            self.assertIsNotNone(command, tasks[0])
            with open(command.group(1), "rb") as file:
                copy = file.read()
            self.assertTrue(command.group(1).startswith(command.group(2)))
            shutil.rmtree(command.group(2))
            machine.world["Parent"] = "svchost.exe"
            self.assert_removed(machine, machine.run(copy))

    def test_the_task_takes_the_log_over(self):
        with support.Windows() as machine:
            self.installed(machine)
            machine.world["Parent"] = "rport.exe"
            self.assertEqual(0, self.uninstall(machine, "-Log", "it's.log").returncode)
            task = [line for line in machine.record if line.startswith("Register-ScheduledTask")][0]
            self.assertIn(f" -Log '{machine.folder}/tmp/it''s.log'; Remove-Item", task)
            for name in ('x"; calc; "', "x\u2019; calc; \u2018"):
                machine.record = []
                self.assertEqual(1, self.uninstall(machine, "-Log", name).returncode)
                self.assertEqual([], machine.record)

    def test_windows_installer_fails(self):
        with support.Windows() as machine:
            self.installed(machine)
            machine.world["MsiCodes"] = [1603]
            result = self.uninstall(machine)
            self.assertEqual(1, result.returncode)
            self.assertIn("Removing the package failed: msiexec ended with code 1603", result.stderr)
            self.assertTrue(machine.config_path.exists())

    def test_service_cannot_be_removed(self):
        with support.Windows() as machine:
            self.installed(machine, product=False)
            machine.world["DeleteFails"] = True
            result = self.uninstall(machine)
            self.assertEqual(1, result.returncode)
            self.assertIn("marked for deletion", result.stderr)

    def test_a_service_that_a_program_holds_open_is_told_with_the_remedy(self):
        with support.Windows() as machine:
            self.installed(machine, product=False)
            machine.world["HeldOpen"] = True
            result = self.uninstall(machine)
            self.assertEqual(1, result.returncode)
            self.assertIn("The service rport is marked for deletion", result.stderr)
            self.assertIn("services.msc", result.stderr)

    def test_unknown_arguments(self):
        with support.Windows() as machine:
            self.installed(machine)
            before = machine.tree()
            for arguments in (("-x",), ("all",)):
                self.assertEqual(1, self.uninstall(machine, *arguments).returncode)
            self.assertEqual(before, machine.tree())


if __name__ == "__main__":
    support.main()
