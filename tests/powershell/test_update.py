# SPDX-License-Identifier: MIT
"""The update script from start to end under PowerShell 7 with stubbed Windows cmdlets: MSI, zip, and each failure."""

import hashlib
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pssupport as support  # noqa: E402
from test_installer import files, package_name  # noqa: E402

PASSWORD = "old'\"\\ \u2019 secret"


class UpdateTest(unittest.TestCase):
    maxDiff = None

    def old(self, machine, version="0.9.2", product=True, extra="", **options):
        escaped = PASSWORD.replace("\\", "\\\\").replace('"', '\\"')
        machine.install(version, product=product, config=(
            f"[client]\n  server = \"{self.web.url}\" # ours\n  auth = \"id:{escaped}\"\n  fingerprint = 'f'\n  id = 'keep-me'\n"
            f"[logging]\n  log_file = '{machine.log_path}'\n[remote-commands]\n  enabled = true\n  allow = ['^x']\n"
            f"[remote-scripts]\n[monitoring]\n  enabled = false\n[interpreter-aliases]\n[file-reception]\n{extra}"), **options)
        machine.log_path.write_text("Connected to an older server\n")

    def setUp(self):
        self.web = support.WebServer(files())
        self.web.__enter__()
        self.addCleanup(self.web.__exit__)

    def update(self, machine, *arguments, kind="msi", extra=""):
        with support.pairport(self.web, kind, extra) as service:
            script = support.fetch(service, "update")
        result = machine.run(script, *arguments)
        text = result.stdout + result.stderr
        self.assertNotIn("secret", text)
        self.assertNotIn("secret", "\n".join(machine.record))
        self.assertEqual([], machine.leftovers())
        self.assertNotIn("Unexpected error", text)
        return result

    def assert_updated(self, machine, result, version="0.9.14"):
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        self.assertEqual("", result.stderr)
        self.assertIn(f"* Version {version} is installed.", result.stdout)
        self.assertIn("* The client is connected.", result.stdout)
        self.assertEqual("Running", machine.status())
        self.assertEqual(PASSWORD, machine.credentials()["password"])

    def assert_untouched(self, machine, before):
        self.assertEqual(before, machine.tree())
        self.assertEqual([], [line for line in machine.record if not line.startswith("Start-Sleep")])


class Updates(UpdateTest):
    def test_msi(self):
        with support.Windows() as machine:
            self.old(machine)
            before = machine.config_path.read_bytes()
            result = self.update(machine, "-m")
            self.assert_updated(machine, result)
            self.assertEqual(before, machine.config_path.read_bytes())
            self.assertEqual([], machine.backups())
            record = "\n".join(machine.record)
            self.assertIn("/i ", record)
            self.assertNotIn("/x ", record)

    def test_zip_stays_zip_although_msi_is_configured(self):
        with support.Windows() as machine:
            self.web.files.update(files("zip"))
            self.old(machine, product=False)
            self.assert_updated(machine, self.update(machine, "-m"))
            self.assertNotIn("msiexec", "\n".join(machine.record))
            self.assertIn("/0.9.14/" + package_name("zip"), self.web.paths())

    def test_msi_where_there_is_no_zip(self):
        with support.Windows() as machine:
            self.old(machine, product=False)
            self.assert_updated(machine, self.update(machine, "-m"))
            self.assertIn("msiexec", "\n".join(machine.record))
            self.assertIn("sc.exe delete rport", machine.record)

    def test_up_to_date(self):
        with support.Windows() as machine:
            self.old(machine, "0.9.14")
            before = machine.tree()
            result = self.update(machine, "-m")
            self.assertEqual(0, result.returncode)
            self.assertIn("* Version 0.9.14 is installed, there is nothing to update.", result.stdout)
            self.assert_untouched(machine, before)
            self.assertEqual([], self.web.requests)

    def test_force_installs_the_same_version_again(self):
        with support.Windows() as machine:
            self.old(machine, "0.9.14")
            self.assert_updated(machine, self.update(machine, "-m", "-f"))
            self.assertIn("/x {01234567", "\n".join(machine.record))

    def test_exact_unstable_and_url(self):
        self.web.files.update(files("msi", "0.9.20"))
        self.web.files.update(files("msi", "0.9.99"))
        self.web.files["/my.zip"] = support.zip_package("0.9.3")
        for arguments, version in ((("-v", "0.9.20"), "0.9.20"), (("-Version", "0.9.20"), "0.9.20"), (("-t",), "0.9.99"),
                                   (("-pkgUrl", self.web.url + "/my.zip"), "0.9.3")):
            with support.Windows() as machine:
                self.old(machine)
                result = self.update(machine, "-m", *arguments, extra='unstable_version = "0.9.99"\n')
                self.assert_updated(machine, result, version)

    def test_options_change_the_configuration_without_a_new_version(self):
        expected = {
            "-x": {"remote-commands": {"enabled": True, "allow": [".*"], "deny": []}, "remote-scripts": {"enabled": True}},
            "-d": {"remote-commands": {"enabled": False, "allow": ["^x"]}, "remote-scripts": {"enabled": False}},
            "-r": {"file-reception": {"enabled": True}},
        }
        for option, tables in expected.items():
            with support.Windows() as machine:
                self.old(machine, "0.9.14")
                result = self.update(machine, "-m", option)
                self.assertEqual(0, result.returncode, result.stderr)
                self.assertIn("* The client is connected.", result.stdout)
                config = machine.config()
                for name, table in tables.items():
                    self.assertEqual(table, config[name])
                self.assertEqual("keep-me", config["client"]["id"])
                self.assertEqual(1, len(machine.backups()))
                self.assertIn("Stop-Service rport", machine.record)

    def test_missing_tables_are_added(self):
        with support.Windows() as machine:
            machine.world["Cards"] = [{"Name": "Ethernet", "Index": 3, "Status": "Up", "Speed": 1000000000, "Address": "10.0.0.1"}]
            machine.install("0.9.2", config=f"[client]\nserver = '{self.web.url}'\nauth = 'id:x'\nfingerprint = 'f'\n[logging]\nlog_file = '{machine.log_path}'\n")
            result = self.update(machine, "-m")
            self.assertEqual(0, result.returncode, result.stderr)
            config = machine.config()
            self.assertEqual({"enabled": False}, config["file-reception"])
            self.assertEqual({"enabled": True, "net_lan": ["Ethernet", "1000"]}, config["monitoring"])

    def test_tacoscript_unless_m(self):
        self.web.files["/taco/stable/?arch=Windows_x86_64"] = support.zip_package(names=("tacoscript.exe",))
        for arguments, there in (((), True), (("-m",), False)):
            for version in ("0.9.2", "0.9.14"):
                with support.Windows() as machine:
                    self.old(machine, version)
                    self.assertEqual(0, self.update(machine, *arguments).returncode)
                    self.assertEqual(there, (machine.program_files / "tacoscript/bin/tacoscript.exe").exists())

    def test_failing_tacoscript_is_reported_and_changes_nothing_else(self):
        with support.Windows() as machine:
            self.old(machine)
            result = self.update(machine)
            self.assertEqual(0, result.returncode)
            self.assertIn("Tacoscript was not updated", result.stderr)

    def test_whatif_changes_nothing(self):
        with support.Windows() as machine:
            self.old(machine)
            before = machine.tree()
            result = self.update(machine, "-WhatIf", "-x")
            self.assertEqual(0, result.returncode)
            self.assertEqual(5, result.stdout.count("What if: "), result.stdout)
            self.assert_untouched(machine, before)

    def test_proxy_of_the_client_is_trusted(self):
        with support.Windows() as machine:
            self.old(machine)
            text = machine.config_path.read_text().replace("[client]", "[client]\nproxy = 'http://127.0.0.1:9'").replace(self.web.url, "http://no-such-host.invalid")
            machine.config_path.write_text(text)
            self.assert_updated(machine, self.update(machine, "-m"))


class FromWithinTheClient(UpdateTest):
    def test_it_hands_over_to_a_scheduled_task(self):
        with support.Windows() as machine:
            self.old(machine)
            machine.world["Parent"] = "rport.exe"
            config = machine.config_path.read_bytes()
            result = self.update(machine, "-x", "-m", "-v", "0.9.14", "-t")
            self.assertEqual(0, result.returncode, result.stderr)
            self.assertIn("The update starts in some seconds", result.stdout)
            self.assertEqual(config, machine.config_path.read_bytes())
            self.assertEqual("Running", machine.status())
            self.assertFalse([line for line in machine.record if line.startswith(("Stop", "Start-P", "Start-Serv"))])
            tasks = [line for line in machine.record if line.startswith("Register-ScheduledTask")]
            self.assertEqual(1, len(tasks))
            copy = machine.client_folder / "update" / "rport-update.ps1"
            self.assertIn(f'powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -File "{copy}" "-x" "-m" "-v" "0.9.14" "-t" '
                          f'"-Log" "{machine.client_folder}/rport-update.log"', tasks[0])
            # The task runs what was copied, with what it was given: it updates.
            machine.world["Parent"] = "svchost.exe"
            arguments = re.findall('"([^"]*)"', tasks[0].split("-File ")[1])
            result = machine.run(copy.read_bytes(), *arguments[1:])
            self.assert_updated(machine, result)
            self.assertIn("* The client is connected.", (machine.client_folder / "rport-update.log").read_text())

    def test_a_bad_package_is_noticed_before(self):
        with support.Windows() as machine:
            self.old(machine)
            machine.world["Parent"] = "rport.exe"
            self.web.files["/0.9.14/" + package_name("msi")] += b"x"
            before = machine.tree()
            self.assertEqual(3, self.update(machine).returncode)
            self.assert_untouched(machine, before)

    def test_quotes_do_not_reach_the_command_line(self):
        for arguments in (("-pkgUrl", 'http://x/" -File evil'), ("-Log", 'x" y'), ("-v", '1" 2'), ("-Log", "x\\")):
            with support.Windows() as machine:
                self.old(machine)
                machine.world["Parent"] = "rport.exe"
                self.assertEqual(1, self.update(machine, *arguments).returncode)
                self.assertEqual("Running", machine.status())
                self.assertFalse([line for line in machine.record if not line.startswith("Start-Sleep")])

    def test_the_password_of_a_download_is_not_handed_over(self):
        with support.Windows() as machine:
            self.old(machine)
            machine.world["Parent"] = "rport.exe"
            machine.env = {"RPORT_INSTALLER_DL_USERNAME": "u", "RPORT_INSTALLER_DL_PASSWORD": "p"}
            self.web.files["/my.zip"] = support.zip_package("0.9.20")
            before = machine.tree()
            result = self.update(machine, "-pkgUrl", self.web.url + "/my.zip")
            self.assertEqual(1, result.returncode)
            self.assertIn("cannot hand the user name and password", result.stderr)
            self.assert_untouched(machine, before)


class Failures(UpdateTest):
    def fails(self, machine, code, message, *arguments, untouched=True, **options):
        before = machine.tree()
        result = self.update(machine, *arguments, **options)
        self.assertEqual(code, result.returncode, result.stdout + result.stderr)
        self.assertRegex(result.stderr, message)
        if untouched:
            self.assert_untouched(machine, before)
        return result

    def test_not_installed(self):
        with support.Windows() as machine:
            self.fails(machine, 1, "is not installed on this machine")

    def test_contradicting_and_bad_arguments(self):
        with support.Windows() as machine:
            self.old(machine)
            self.fails(machine, 1, "-x and -d exclude each other", "-x", "-d")
            self.fails(machine, 1, "not a version number", "-v", "..\\x")
            self.fails(machine, 1, "no http or https URL", "-pkgUrl", "\\\\server\\share\\x.msi")

    def test_broken_configuration_is_left_alone(self):
        with support.Windows() as machine:
            self.old(machine, extra="oops\n")
            self.fails(machine, 1, "The configuration is not valid: rport.conf: line 16 is neither a table nor a key")

    def test_a_newer_version_is_left_alone_unless_forced(self):
        with support.Windows() as machine:
            self.old(machine, "1.0.0")
            self.fails(machine, 5, "Version 1.0.0 is installed and newer than 0.9.14")
            self.fails(machine, 5, "use -f|Use -f", "-v", "0.9.14")
            self.assert_updated(machine, self.update(machine, "-m", "-f"))

    def test_settings_change_although_a_newer_version_is_installed(self):
        with support.Windows() as machine:
            self.old(machine, "1.0.0")
            result = self.update(machine, "-m", "-r")
            self.assertEqual(0, result.returncode, result.stderr)
            self.assertTrue(machine.config()["file-reception"]["enabled"])
            self.assertIn("it stays, the settings are changed", result.stdout)
            self.assertEqual(support.stand_in("1.0.0"), machine.exe.read_bytes())

    def test_a_log_that_does_not_show_connections_is_no_reason_to_roll_back(self):
        for code, verdict in ((0, "silent"), (4, "crash"), (4, "refused")):
            with support.Windows() as machine:
                self.old(machine)
                machine.config_path.write_text(machine.config_path.read_text().replace("[logging]", "[logging]\n  log_level = 'error'"))
                machine.env["STAND_IN_VERDICT"] = verdict
                result = self.update(machine, "-m")
                self.assertEqual(code, result.returncode, result.stdout + result.stderr)
                if code == 0:
                    self.assertIn("look on the server whether it is connected", result.stdout)
                    self.assertNotIn("is connected.\n", result.stdout.replace("whether it is connected.", ""))
                    self.assertEqual(support.stand_in("0.9.14"), machine.exe.read_bytes())

    def test_server_not_reachable(self):
        with support.Windows() as machine:
            self.old(machine)
            machine.config_path.write_text(machine.config_path.read_text().replace(self.web.url, "http://no-such-host.invalid"))
            self.fails(machine, 2, "cannot be reached")

    def test_download_and_checks(self):
        with support.Windows() as machine:
            self.old(machine)
            self.web.files["/0.9.14/" + package_name("msi")] = b"<html>"
            self.fails(machine, 3, "neither an MSI")
            self.web.files["/0.9.14/" + package_name("msi")] = support.msi_package() + b"x"
            self.fails(machine, 3, "differs from checksums.txt")
            self.web.files.clear()
            self.fails(machine, 3, "404")

    def test_strict_checksums_refuse_what_nobody_has_named(self):
        strict = "strict_checksums = true\n"
        with support.Windows() as machine:
            self.old(machine)
            machine.world["Signature"] = "Valid"
            self.web.files["/own.msi"] = support.msi_package("7.7.7")
            self.fails(machine, 3, r"No sha256 is known for own\.msi", "-m", "-pkgUrl", self.web.url + "/own.msi", extra=strict)
            listed = self.web.files.pop("/0.9.14/checksums.txt")
            self.fails(machine, 3, r"No sha256 is known for rport_0\.9\.14_windows_x86_64\.msi", "-m", extra=strict)
            self.web.files["/0.9.14/checksums.txt"] = listed
            self.assert_updated(machine, self.update(machine, "-m", extra=strict))

    def rolls_back(self, product, package_verdict="silent", **world):
        kind = "msi" if product else "zip"
        package = (support.msi_package if product else support.zip_package)("0.9.14", package_verdict)
        self.web.files = {"/0.9.14/" + package_name(kind): package,
                          "/0.9.14/checksums.txt": f"{hashlib.sha256(package).hexdigest()}  {package_name(kind)}".encode()}
        with support.Windows() as machine:
            self.old(machine, product=product)
            machine.world.update(world)
            config = machine.config_path.read_bytes()
            result = self.update(machine, "-x", kind=kind)
            self.assertEqual("Running", machine.status())
            self.assertEqual(support.stand_in("0.9.2"), machine.exe.read_bytes())
            self.assertEqual(config, machine.config_path.read_bytes())
            self.assertIn("* The old version is connected again.", result.stdout)
            self.assertFalse((machine.program_files / "tacoscript").exists())
            return result

    def test_a_version_that_does_not_connect_is_rolled_back(self):
        for product in (True, False):
            result = self.rolls_back(product)
            self.assertEqual(4, result.returncode)
            self.assertIn("The client does not connect after the update. The log shows no connection yet", result.stderr)

    def test_a_version_that_crashes_is_rolled_back(self):
        self.assertEqual(4, self.rolls_back(False, "crash").returncode)

    def test_a_failing_windows_installer_is_rolled_back(self):
        result = self.rolls_back(True, MsiCodes=[1603])
        self.assertEqual(1, result.returncode)
        self.assertIn("msiexec ended with code 1603", result.stderr)

    def test_a_package_removed_before_a_failing_one_is_rolled_back(self):
        """-f removes the same version first; when the new one then fails, program and service must come back."""
        with support.Windows() as machine:
            self.old(machine, "0.9.14")
            machine.world["MsiCodes"] = [0, 1603]
            result = self.update(machine, "-f")
            self.assertEqual(1, result.returncode)
            self.assertEqual("Running", machine.status())
            self.assertTrue(machine.exe.exists())
            self.assertIn("* The old version is connected again.", result.stdout)

    def test_nothing_connects(self):
        with support.Windows() as machine:
            self.old(machine)
            machine.env["STAND_IN_VERDICT"] = "silent"
            result = self.update(machine)
            self.assertEqual(4, result.returncode)
            self.assertIn("The old version does not connect either", result.stderr)
            self.assertEqual(support.stand_in("0.9.2"), machine.exe.read_bytes())

    def test_refused_credentials_are_hidden(self):
        with support.Windows() as machine:
            self.old(machine)
            machine.env["STAND_IN_VERDICT"] = "refused"
            result = self.update(machine)
            self.assertEqual(4, result.returncode)
            self.assertIn("Authentication failed for id with ***", result.stderr)


if __name__ == "__main__":
    support.main()
