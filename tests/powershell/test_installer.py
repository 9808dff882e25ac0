# SPDX-License-Identifier: MIT
"""The installer from start to end under PowerShell 7, with the cmdlets of Windows stubbed: once for MSI, once for zip,
once per failure. Downloads and the connection test are real, over 127.0.0.1; the client is a stand-in that reads its
configuration with a real TOML parser."""

import hashlib
import json
import os
import re
import socket
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pssupport as support  # noqa: E402
from pssupport import FINGERPRINT  # noqa: E402

PASSWORD = "p\u00e4'\"\\$(x)`;| \u2019\U0001f600 "
CLIENT_ID = " it's \u201aid\u2018 100%"


def package_name(kind, version="0.9.14"):
    return f"rport_{version}_windows_x86_64.{kind}"


def files(kind="msi", version="0.9.14", package=None, listed=True, verdict=""):
    package = package or (support.msi_package if kind == "msi" else support.zip_package)(version, verdict)
    found = {f"/{version}/{package_name(kind, version)}": package}
    if listed:
        found[f"/{version}/checksums.txt"] = f"{hashlib.sha256(package).hexdigest()}  {package_name(kind, version)}\n".encode()
    return found


class InstallerTest(unittest.TestCase):
    maxDiff = None

    def install(self, machine, *arguments, web_files=None, kind="msi", extra="", connect_url=None, **fields):
        with support.WebServer(files(kind) if web_files is None else web_files) as web:
            with support.pairport(web, kind, extra) as service:
                script = support.deposit_and_fetch(service, **{
                    "connect_url": connect_url or web.url, "client_id": CLIENT_ID, "password": PASSWORD, **fields})
            self.url = web.url
            result = machine.run(script, *arguments)
            self.requests = web.requests
        text = result.stdout + result.stderr
        for secret in (PASSWORD, PASSWORD.strip()):
            self.assertNotIn(secret, text)
            self.assertNotIn(secret, "\n".join(machine.record))
        self.assertEqual([], machine.leftovers())
        self.assertNotIn("Unexpected error", text)
        return result

    def assert_connected(self, machine, result):
        self.assertEqual(0, result.returncode, result.stdout + result.stderr)
        self.assertEqual("", result.stderr)
        self.assertIn("* The client is connected to " + self.url, result.stdout)
        self.assertEqual({"connect_url": self.url, "fingerprint": FINGERPRINT, "client_id": CLIENT_ID, "password": PASSWORD},
                         machine.credentials())
        self.assertEqual("Running", machine.status())

    def assert_untouched(self, machine, before):
        self.assertEqual(before, machine.tree())
        self.assertEqual([], [line for line in machine.record if not line.startswith("Start-Sleep")])


class Installs(InstallerTest):
    def test_msi(self):
        with support.Windows() as machine:
            result = self.install(machine)
            self.assert_connected(machine, result)
            self.assertIn("equals checksums.txt", result.stdout)
            record = "\n".join(machine.record)
            self.assertRegex(record, r'Start-Process msiexec\.exe /i "[^"]+rport\.msi" INSTALLDIR="[^"]+/rport" /qn /norestart')
            self.assertIn("sc.exe config rport start= delayed-auto", record)
            self.assertIn("sc.exe failure rport reset= 86400 actions= restart/30000/restart/60000/restart/120000", record)
            config = machine.config()
            self.assertEqual("4C4C4544-0042-3510-8054-C7C04F534E31", config["client"]["id"])
            self.assertFalse(config["client"]["use_system_id"])
            self.assertTrue(config["client"]["use_hostname"])
            self.assertEqual(str(machine.log_path), config["logging"]["log_file"])
            self.assertEqual({"enabled": False}, config["remote-commands"])
            self.assertEqual({"enabled": False}, config["remote-scripts"])
            self.assertEqual({"enabled": False}, config["file-reception"])
            self.assertFalse(machine.config_path.read_bytes().startswith(b"\xef\xbb\xbf"))

    def test_zip(self):
        with support.Windows() as machine:
            result = self.install(machine, kind="zip")
            self.assert_connected(machine, result)
            self.assertNotIn("msiexec", "\n".join(machine.record))
            self.assertTrue((machine.client_folder / "rport.example.conf").exists())
            # Registered by the client itself, which checks the configuration.
            self.assertEqual(f'"{machine.exe}" -c "{machine.config_path}"', (machine.state / "service").read_text())

    def test_the_configuration_is_protected_before_it_holds_the_secret(self):
        with support.Windows() as machine:
            self.install(machine, kind="zip")
            protect = [line for line in machine.record if line.startswith("icacls.exe")]
            self.assertEqual([f"icacls.exe {machine.config_path}.new /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F"], protect)

    def test_all_options(self):
        with support.Windows() as machine:
            for path in ("PowerShell/7/pwsh.exe", "Git/bin/bash.exe", "Python312/python.exe"):
                program = machine.program_files / path
                program.parent.mkdir(parents=True)
                program.write_text("")
            machine.world["Cards"] = [
                {"Name": "Loopback", "Index": 1, "Status": "Up", "Speed": 0, "Address": "127.0.0.1"},
                {"Name": "Off", "Index": 2, "Status": "Disconnected", "Speed": 1000000000, "Address": "10.0.0.9"},
                {"Name": "Ethernet's \"1\"", "Index": 3, "Status": "Up", "Speed": 2500000000, "Address": "10.0.0.1"},
                {"Name": "Ethernet 2", "Index": 4, "Status": "Up", "Speed": 1000000000, "Address": "10.0.0.2"},
                {"Name": "WAN", "Index": 5, "Status": "Up", "Speed": 100000000, "Address": "8.8.8.8"},
            ]
            tacoscript = {"/taco/stable/?arch=Windows_x86_64": support.zip_package(names=("README.md", "bin/tacoscript.exe"))}
            result = self.install(machine, "-x", "-r", "-i", "-g", "office, Server 2022,\u00fcber \"x\"", web_files={**files(), **tacoscript})
            self.assert_connected(machine, result)
            config = machine.config()
            self.assertEqual({"enabled": True, "allow": [".*"], "deny": []}, config["remote-commands"])
            self.assertEqual({"enabled": True}, config["remote-scripts"])
            self.assertEqual({"enabled": True}, config["file-reception"])
            self.assertEqual(["Ethernet's \"1\"", "2500"], config["monitoring"]["net_lan"])
            self.assertEqual(["WAN", "100"], config["monitoring"]["net_wan"])
            self.assertEqual({"powershell7": str(machine.program_files / "PowerShell/7/pwsh.exe"),
                              "bash": str(machine.program_files / "Git/bin/bash.exe"),
                              "python3": str(machine.program_files / "Python312/python.exe")}, config["interpreter-aliases"])
            with open(config["client"]["attributes_file_path"], encoding="utf-8") as file:
                self.assertEqual({"tags": ["office", "Server 2022", "\u00fcber \"x\""], "labels": {}}, json.load(file))
            self.assertTrue((machine.program_files / "tacoscript" / "bin" / "tacoscript.exe").exists())

    def test_enable_commands_is_an_alias(self):
        with support.Windows() as machine:
            self.assert_connected(machine, self.install(machine, "-EnableCommands", kind="zip"))
            self.assertTrue(machine.config()["remote-scripts"]["enabled"])

    def test_exact_and_unstable_version(self):
        for arguments, version in ((("-Version", "0.9.12"), "0.9.12"), (("-t",), "0.9.99")):
            with support.Windows() as machine:
                result = self.install(machine, *arguments, web_files=files("zip", version), kind="zip", extra='unstable_version = "0.9.99"\n')
                self.assert_connected(machine, result)
                self.assertIn(f"* Version {version} is installed.", result.stdout)

    def test_package_from_a_url_with_basic_authentication(self):
        with support.Windows() as machine:
            machine.env = {"RPORT_INSTALLER_DL_USERNAME": "user", "RPORT_INSTALLER_DL_PASSWORD": "s3cr\u00e4t"}
            package = support.zip_package("1.2.3")
            with support.WebServer({"/my/package?token=geheim": package}) as other:
                result = self.install(machine, "-pkgUrl", other.url + "/my/package?token=geheim", web_files={})
                self.assert_connected(machine, result)
                self.assertEqual("Basic dXNlcjpzM2Nyw6R0", other.requests[0][1]["Authorization"])
            self.assertNotIn("geheim", result.stdout)
            self.assertIn("CAUTION: package is not signed and no checksum is known for it.", result.stdout)
            self.assertIn("* Version 1.2.3 is installed.", result.stdout)

    def test_basic_authentication_goes_to_no_other_address(self):
        with support.Windows() as machine:
            machine.env = {"RPORT_INSTALLER_DL_USERNAME": "user", "RPORT_INSTALLER_DL_PASSWORD": "x"}
            self.assert_connected(machine, self.install(machine))
            self.assertEqual([], [path for path, headers in self.requests if "Authorization" in headers])

    def test_redirects_are_followed_without_the_password(self):
        with support.Windows() as machine, support.WebServer({"/real.zip": support.zip_package()}) as real:
            machine.env = {"RPORT_INSTALLER_DL_USERNAME": "user", "RPORT_INSTALLER_DL_PASSWORD": "x"}
            with support.WebServer({"/moved": (302, (real.url + "/real.zip").encode())}) as first:
                self.assert_connected(machine, self.install(machine, "-pkgUrl", first.url + "/moved", web_files={}))
                self.assertIn("Authorization", first.requests[0][1])
            self.assertNotIn("Authorization", real.requests[0][1])

    def test_what_is_in_the_package_decides_not_its_name(self):
        with support.Windows() as machine:
            name = "/0.9.14/" + package_name("msi")
            self.assert_connected(machine, self.install(machine, web_files={name: support.zip_package()}))
            self.assertNotIn("msiexec", "\n".join(machine.record))

    def test_signature_checked_where_there_is_no_checksum(self):
        with support.Windows() as machine:
            machine.world["Signature"] = "Valid"
            result = self.install(machine, web_files=files(listed=False))
            self.assert_connected(machine, result)
            self.assertIn("signature of rport_0.9.14_windows_x86_64.msi is valid: CN=Test", result.stdout)
            self.assertNotIn("CAUTION", result.stdout)

    def test_nothing_to_check_is_said(self):
        with support.Windows() as machine:
            result = self.install(machine, web_files=files(listed=False))
            self.assert_connected(machine, result)
            self.assertIn("CAUTION: rport_0.9.14_windows_x86_64.msi is not signed and no checksum is known", result.stdout)

    def test_pinned_checksum_comes_first(self):
        with support.Windows() as machine:
            package = support.msi_package()
            pinned = f'sha256 = {{ "{package_name("msi")}" = "{hashlib.sha256(package).hexdigest()}", "other.zip" = "{"0" * 64}" }}\n'
            result = self.install(machine, web_files=files(package=package, listed=False), extra=pinned)
            self.assert_connected(machine, result)
            self.assertIn("equals the value set by the operator", result.stdout)
            self.assertNotIn("/0.9.14/checksums.txt", [path for path, _ in self.requests])

    def test_broken_download_is_tried_again(self):
        package = support.msi_package()
        tries = []

        def flaky(handler):
            tries.append(1)
            if len(tries) == 1:
                return 503, b"busy"
            if len(tries) == 2:
                handler.send_response(200)
                handler.send_header("Content-Length", str(len(package)))
                handler.end_headers()
                handler.wfile.write(package[:1000])
                handler.close_connection = True
                return None
            return 200, package

        with support.Windows() as machine:
            result = self.install(machine, web_files={**files(), "/0.9.14/" + package_name("msi"): flaky})
            self.assert_connected(machine, result)
            self.assertEqual(3, len(tries))

    def test_restart_wish_of_windows_installer_is_a_success(self):
        with support.Windows() as machine:
            machine.world["MsiCodes"] = [1618, 3010]
            result = self.install(machine)
            self.assert_connected(machine, result)
            self.assertIn("Another installation is running", result.stdout)
            self.assertIn("restart of this machine", result.stdout)

    def test_shared_and_missing_system_ids_become_random_ones(self):
        seen = set()
        # Known from inventories of fleets: what board makers leave in the firmware, in both byte orders.
        shared = ("FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF", "00000000-0000-0000-0000-000000000000", "FEFEFEFE-FEFE-FEFE-FEFE-FEFEFEFEFEFE",
                  "11111111-1111-1111-1111-111111111111", "03000200-0400-0500-0006-000700080009", "00020003-0004-0005-0006-000700080009",
                  "12345678-1234-5678-90AB-CDDEEFAABBCC", "78563412-3412-7856-90AB-CDDEEFAABBCC",
                  "03020100-0504-0706-0809-0A0B0C0D0E0F", "00010203-0405-0607-0809-0a0b0c0d0e0f", "", "not a uuid", "throw")
        if os.environ.get("PAIRPORT_LONG") != "1":
            print("a few of the shared ids (PAIRPORT_LONG=1: all) ...", end=" ", file=sys.stderr, flush=True)
            shared = (shared[2], shared[5], shared[-3], shared[-1])
        for uuid in shared:
            with support.Windows() as machine:
                machine.world["Uuid"] = uuid
                self.assert_connected(machine, self.install(machine, kind="zip"))
                seen.add(machine.config()["client"]["id"])
        self.assertEqual(len(shared), len(seen))
        self.assertFalse({uuid.lower() for uuid in shared} & seen)
        for found in seen:
            self.assertRegex(found, r"\A[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\Z")

    def test_windows_11_on_arm64_gets_the_x86_64_client_with_a_note(self):
        with support.Windows() as machine:
            machine.env["PROCESSOR_ARCHITECTURE"] = "ARM64"
            result = self.install(machine, kind="zip")
            self.assert_connected(machine, result)
            self.assertIn(": This is Windows on ARM64", result.stdout)

    def test_delete_script_removes_it_and_the_folder_of_the_command(self):
        with support.Windows() as machine:
            machine.script_path = machine.folder / "tmp" / "k3x0a2mq.5zt" / "rport-installer.ps1"
            result = self.install(machine, "-DeleteScript", kind="zip")
            self.assert_connected(machine, result)
            self.assertFalse(machine.script_path.parent.exists())
            self.assertIn("* Delete this script: ", result.stdout)

    def test_delete_script_leaves_a_folder_that_is_somebody_elses(self):
        for place in ("", "k3x0a2mq.5zt/deeper", "k3x0a2mq.5zt"):
            with support.Windows() as machine:
                folder = machine.folder / "tmp" / place
                folder.mkdir(parents=True, exist_ok=True)
                if place == "k3x0a2mq.5zt":
                    (folder / "mine").write_text("")
                machine.script_path = folder / "rport-installer.ps1"
                self.assert_connected(machine, self.install(machine, "-DeleteScript", kind="zip"))
                self.assertFalse(machine.script_path.exists())
                self.assertTrue(folder.exists(), place)

    def test_the_script_stays_after_a_failure_and_in_a_dry_run(self):
        with support.Windows() as machine:
            self.assertEqual(0, self.install(machine, "-DeleteScript", "-WhatIf", kind="zip").returncode)
            self.assertTrue(machine.script_path.exists())
            machine.env["STAND_IN_VERDICT"] = "refused"
            self.assertEqual(4, self.install(machine, "-DeleteScript", kind="zip").returncode)
            self.assertTrue(machine.script_path.exists())

    def test_plain_host_and_port_and_websocket_urls(self):
        with support.WebServer({}) as server:
            address = server.url.removeprefix("http://")
            for url in (address, "ws://" + address + "/path"):
                with support.Windows() as machine:
                    result = self.install(machine, kind="zip", connect_url=url)
                    self.assertEqual(0, result.returncode, result.stderr)
                    self.assertEqual(url, machine.config()["client"]["server"])


    def test_proxy_of_the_system_where_there_is_no_direct_way(self):
        """.NET on Linux takes the proxy from the environment, on Windows from the system: the code is the same."""
        def everything(handler):
            return 404, b"answer of the server"

        with support.Windows() as machine, support.WebServer({"http://server.invalid:8080/": everything}) as proxy:
            machine.env = {"http_proxy": proxy.url, "no_proxy": "127.0.0.1"}
            result = self.install(machine, kind="zip", connect_url="http://server.invalid:8080")
            self.assertEqual(0, result.returncode, result.stderr)
            self.assertEqual(proxy.url, machine.config()["client"]["proxy"])
            self.assertIn("through the proxy of the system only", result.stdout)

    def test_no_proxy_where_there_is_a_direct_way(self):
        with support.Windows() as machine, support.WebServer({}) as proxy:
            machine.env = {"http_proxy": proxy.url, "no_proxy": "127.0.0.1"}
            with support.WebServer({}) as server:
                result = self.install(machine, kind="zip", connect_url=server.url)
            self.assertEqual(0, result.returncode, result.stderr)
            self.assertNotIn("proxy", machine.config()["client"])
            self.assertEqual([], proxy.requests)

    def test_what_the_proxy_answers_for_itself_is_no_connection(self):
        for status in (407, 502, 503, 504):
            with support.Windows() as machine, support.WebServer({"http://server.invalid/": (status, b"")}) as proxy:
                machine.env = {"http_proxy": proxy.url, "no_proxy": "127.0.0.1"}
                self.assertEqual(2, self.install(machine, connect_url="http://server.invalid").returncode)

    def test_old_windows_without_network_and_task_cmdlets(self):
        with support.Windows() as machine:
            machine.without = ["Get-NetAdapter", "Get-NetIPAddress"]
            result = self.install(machine, kind="zip")
            self.assert_connected(machine, result)
            self.assertIn("network cards are not monitored", result.stdout)
        with support.Windows() as machine:
            machine.without = ["Register-ScheduledTask"]
            machine.install(config="[client]\nid='x'\n")
            machine.world["Parent"] = "rport.exe"
            self.assertEqual(0, self.install(machine).returncode)
            self.assertRegex("\n".join(machine.record), r"Invoke-CimMethod Win32_Process Create .*Restart-Service -Name rport -Force")


class DryRuns(InstallerTest):
    def test_whatif_changes_nothing(self):
        for kind in ("msi", "zip"):
            with support.Windows() as machine:
                machine.install("0.9.1", config="[client]\nid = 'x'\n")
                before = machine.tree()
                result = self.install(machine, "-WhatIf", "-x", "-i", "-g", "a", kind=kind)
                self.assertEqual(0, result.returncode)
                self.assert_untouched(machine, before)
                self.assertEqual(7, result.stdout.count("What if: "), result.stdout)
                self.assertEqual(["/"], [path for path, _ in self.requests])

    def test_d_writes_the_configuration_only(self):
        with support.Windows() as machine:
            result = self.install(machine, "-d", "-x", "-g", "tag", "-i")
            self.assertEqual(0, result.returncode, result.stderr)
            self.assertIn("With -d the options -t, -i, -Version and -pkgUrl have no effect.", result.stdout)
            self.assertEqual({"rport.conf", "client_attributes.json", "data"}, {p.name for p in machine.client_folder.iterdir()})
            self.assertEqual(CLIENT_ID + ":" + PASSWORD, machine.config()["client"]["auth"])
            self.assertIsNone(machine.status())
            self.assertEqual(["/"], [path for path, _ in self.requests])

    def test_log_option(self):
        with support.Windows() as machine:
            log = machine.folder / "tmp" / "install.log"
            result = self.install(machine, "-Log", "install.log", kind="zip")
            self.assert_connected(machine, result)
            lines = log.read_text().splitlines()
            self.assertEqual(result.stdout.splitlines(), [line.split(" ", 1)[1] for line in lines])


class RepairsAndPairsAnew(InstallerTest):
    CONFIG = ("[client]\r\n  server = 'http://old:1'\r\n  auth = 'a:b'\r\n  fingerprint = 'old'\r\n  id = 'keep-me'\r\n  use_hostname = true\r\n"
              "  tags = ['one', \"two\"]\r\n  #proxy = 'x'\r\n[logging]\r\n  log_file = '{log}'\r\n  log_level = 'error'\r\n"
              "[remote-scripts]\r\n  enabled = true\r\n[monitoring]\r\n  net_lan = ['mine', '1']\r\n[my-own]\r\n  key = 'value' # note\r\n")

    def config(self, machine):
        return self.CONFIG.replace("{log}", str(machine.client_folder / "own.log"))

    def test_the_id_and_all_other_settings_stay(self):
        for product in (True, False):
            with support.Windows() as machine:
                machine.install(config=self.config(machine), product=product)
                result = self.install(machine)
                self.assert_connected(machine, result)
                config = machine.config()
                self.assertEqual("keep-me", config["client"]["id"])
                self.assertNotIn("use_system_id", config["client"])
                self.assertEqual({"enabled": True}, config["remote-scripts"])
                self.assertNotIn("file-reception", config)
                self.assertEqual(["mine", "1"], config["monitoring"]["net_lan"])
                self.assertEqual({"key": "value"}, config["my-own"])
                self.assertEqual("info", config["logging"]["log_level"])
                self.assertIn(b"# note\r\n", machine.config_path.read_bytes())
                self.assertEqual(1, len(machine.backups()))
                self.assertEqual(self.config(machine).encode(), machine.backups()[0].read_bytes())
                # The same version is not installed again.
                self.assertNotIn("msiexec", "\n".join(machine.record))
                self.assertEqual(["/"], [path for path, _ in self.requests])
                self.assertLess(machine.record.index("Stop-Service rport"), machine.record.index("Start-Service rport"))

    def test_the_system_id_stays_the_system_id(self):
        with support.Windows() as machine:
            machine.install(config="[client]\nuse_system_id = true\nname = 'n'\n")
            self.assert_connected(machine, self.install(machine))
            client = machine.config()["client"]
            self.assertTrue(client["use_system_id"])
            self.assertNotIn("id", client)
            self.assertNotIn("use_hostname", client)

    def test_a_second_run_changes_nothing_but_the_backup(self):
        with support.Windows() as machine:
            self.assert_connected(machine, self.install(machine, "-x", "-g", "a"))
            first = machine.config_path.read_text().replace(self.url, "URL")
            self.assert_connected(machine, self.install(machine, "-x", "-g", "a,b"))
            self.assertEqual(first, machine.config_path.read_text().replace(self.url, "URL"))
            self.assertEqual(["a", "b"], json.loads((machine.client_folder / "client_attributes.json").read_text())["tags"])

    def test_tags_and_labels_that_were_there_stay(self):
        with support.Windows() as machine:
            attributes = machine.client_folder / "my attributes.json"
            machine.install(config=f"[client]\nid='x'\nattributes_file_path = '{attributes}'\n")
            attributes.write_text('{"tags": ["old"], "labels": {"city": "K\u00f6ln \\"x\\"", "n": 5, "b": true, "e": null, "l": [1, "a"], "d": "2024-01-01T00:00:00Z"}}', encoding="utf-8")
            self.assert_connected(machine, self.install(machine, "-g", "new,old"))
            self.assertEqual({"tags": ["old", "new"], "labels": {"city": "K\u00f6ln \"x\"", "n": 5, "b": True, "e": None, "l": [1, "a"], "d": "2024-01-01T00:00:00Z"}},
                             json.loads(attributes.read_text(encoding="utf-8")))

    def test_tags_of_the_configuration_move_to_the_attributes(self):
        with support.Windows() as machine:
            machine.install(config=self.config(machine))
            self.assert_connected(machine, self.install(machine, "-g", "three"))
            with open(machine.config()["client"]["attributes_file_path"], encoding="utf-8") as file:
                self.assertEqual(["one", "two", "three"], json.load(file)["tags"])

    def test_attributes_in_another_format_are_not_destroyed(self):
        with support.Windows() as machine:
            attributes = machine.client_folder / "attributes.yaml"
            machine.install(config=f"[client]\nid='x'\nattributes_file_path = '{attributes}'\n")
            attributes.write_text("tags:\n  - old\n")
            before = machine.tree()
            result = self.install(machine, "-g", "new")
            self.assertEqual(1, result.returncode)
            self.assertIn("is no JSON file", result.stderr)
            self.assert_untouched(machine, before)

    def test_an_older_version_is_replaced(self):
        for product in (True, False):
            with support.Windows() as machine:
                machine.install("0.9.2", config=self.config(machine), product=product)
                result = self.install(machine)
                self.assert_connected(machine, result)
                self.assertIn("* Version 0.9.14 is installed.", result.stdout)
                self.assertEqual("keep-me", machine.config()["client"]["id"])
                record = "\n".join(machine.record)
                self.assertNotIn("/x {", record)
                # Windows Installer creates its own service.
                self.assertEqual(not product, "sc.exe delete rport" in record)

    def test_a_newer_version_stays_unless_one_is_asked_for(self):
        with support.Windows() as machine:
            machine.install("1.0.0", config=self.config(machine))
            result = self.install(machine)
            self.assert_connected(machine, result)
            self.assertIn("newer than 0.9.14: it stays", result.stdout)
        with support.Windows() as machine:
            machine.install("1.0.0", config=self.config(machine))
            result = self.install(machine, "-Version", "0.9.14")
            self.assert_connected(machine, result)
            self.assertIn("* Version 0.9.14 is installed.", result.stdout)
            self.assertIn("/x {01234567-89AB-CDEF-0123-456789ABCDEF} /qn", "\n".join(machine.record))

    def test_a_lost_program_is_installed_again(self):
        with support.Windows() as machine:
            machine.install(config=self.config(machine), running=False)
            machine.exe.write_text("")
            result = self.install(machine)
            self.assert_connected(machine, result)
            self.assertEqual("keep-me", machine.config()["client"]["id"])

    def test_a_lost_service_is_registered_again(self):
        with support.Windows() as machine:
            machine.install(config=self.config(machine), product=False)
            (machine.state / "service").unlink()
            (machine.state / "service.status").unlink()
            self.assert_connected(machine, self.install(machine))
            self.assertEqual("keep-me", machine.config()["client"]["id"])

    def test_a_broken_configuration_is_written_anew_and_keeps_the_id(self):
        with support.Windows() as machine:
            for broken in ("[client]\nid = \"keep-me\"\nserver = \"http://x\nauth\n", "[client]\nid = 'keep-me'\n[monitoring]\nenabled=true\nenabled=true\n"):
                machine.install(config=broken)
                result = self.install(machine)
                self.assert_connected(machine, result)
                self.assertEqual("keep-me", machine.config()["client"]["id"])
                self.assertIn("is not valid and is written anew", result.stdout)
                self.assertEqual(broken.encode(), machine.backups()[-1].read_bytes())
                machine.backups()[-1].unlink()

    def test_another_folder_and_account_are_respected(self):
        with support.Windows() as machine:
            machine.client_folder = machine.folder / "Apps" / "rport"
            machine.client_folder.parent.mkdir()
            machine.exe = machine.client_folder / "rport.exe"
            machine.config_path = machine.folder / "Apps" / "rport.conf"
            machine.world["Account"] = ".\\rportuser"
            machine.install(config=f"[client]\nid='x'\n[logging]\nlog_file='{machine.client_folder}/l'\n", product=False)
            self.assert_connected(machine, self.install(machine))
            self.assertIn(f"icacls.exe {machine.config_path} /inheritance:r /grant:r *S-1-5-18:F *S-1-5-32-544:F TESTHOST\\rportuser:R", machine.record)

    def test_run_by_the_client_it_only_repairs_and_restarts_later(self):
        with support.Windows() as machine:
            machine.install("0.9.1", config=self.config(machine))
            machine.world["Parent"] = "rport.exe"
            tacoscript = {"/taco/stable/?arch=Windows_x86_64": support.zip_package(names=("tacoscript.exe",))}
            result = self.install(machine, "-x", "-i", web_files=tacoscript)
            self.assertEqual(0, result.returncode, result.stderr)
            self.assertTrue((machine.program_files / "tacoscript" / "bin" / "tacoscript.exe").exists())
            self.assertEqual(CLIENT_ID + ":" + PASSWORD, machine.config()["client"]["auth"])
            self.assertEqual("Running", machine.status())
            self.assertFalse([line for line in machine.record if line.startswith(("Stop", "Start-P", "Start-Serv"))])
            task = [line for line in machine.record if line.startswith("Register-ScheduledTask")]
            self.assertEqual(1, len(task))
            self.assertRegex(task[0], r"SYSTEM .*powershell\.exe .*Restart-Service -Name rport -Force")

    def test_a_younger_parent_is_no_parent(self):
        with support.Windows() as machine:
            machine.install(config=self.config(machine))
            machine.world["Parent"] = "rport.exe"
            machine.world["ParentIsYounger"] = True
            self.assert_connected(machine, self.install(machine))

    def test_run_by_the_client_it_replaces_no_program(self):
        with support.Windows() as machine:
            machine.install("0.9.1", config=self.config(machine))
            machine.world["Parent"] = "rport.exe"
            before = machine.tree()
            result = self.install(machine, "-t")
            self.assertEqual(1, result.returncode)
            self.assertRegex(result.stderr, r"Use the update script: http://\S+/update")
            self.assert_untouched(machine, before)


class Failures(InstallerTest):
    def fails(self, code, message, *arguments, machine=None, untouched=True, **options):
        machine = machine or support.Windows()
        with machine:
            before = machine.tree()
            result = self.install(machine, *arguments, **options)
            self.assertEqual(code, result.returncode, result.stdout + result.stderr)
            self.assertRegex(result.stderr, message)
            self.assertTrue(result.stderr.startswith("! "), result.stderr)
            if untouched:
                self.assert_untouched(machine, before)
            return result, machine

    def test_wrong_architectures_are_refused(self):
        for architecture in ("ARM", "x86", "IA64"):
            machine = support.Windows()
            machine.env["PROCESSOR_ARCHITECTURE"] = architecture
            self.fails(1, "Only 64-bit Windows on x86_64 or ARM64 is supported, this is " + architecture, machine=machine)

    def test_windows_10_on_arm64_is_refused_because_it_runs_no_x86_64_programs(self):
        machine = support.Windows()
        machine.env["PROCESSOR_ARCHITECTURE"] = "ARM64"
        machine.world["Build"] = "19045"
        result, _ = self.fails(1, "build 19045, which does not run x86_64 programs", machine=machine)
        self.assertIn("Windows 11", result.stderr)

    def test_a_service_marked_for_deletion_is_told_with_the_remedy_before_anything_is_changed(self):
        machine = support.Windows()
        machine.install(config="", running=False)
        machine.world["Marked"] = True
        result, _ = self.fails(1, "The service rport is marked for deletion", machine=machine)
        self.assertIn("services.msc", result.stderr)
        self.assertIn("restart this machine", result.stderr)

    def test_constrained_language_is_named_as_the_cause(self):
        with support.Windows() as machine:
            machine.constrained = True
            before = machine.tree()
            result = self.install(machine)
            self.assertEqual(1, result.returncode)
            self.assertIn("! PowerShell is restricted on this machine (constrained language mode)", result.stdout)
            self.assert_untouched(machine, before)

    def test_32_bit_powershell_starts_the_64_bit_one(self):
        with support.Windows() as machine:
            machine.env.update({"PROCESSOR_ARCHITECTURE": "x86", "PROCESSOR_ARCHITEW6432": "AMD64"})
            shell = machine.folder / "Windows/sysnative/WindowsPowerShell/v1.0/powershell.exe"
            shell.parent.mkdir(parents=True)
            shell.write_text("#!/bin/sh\nfor a; do echo \"<$a>\"; done\nexit 4\n")
            shell.chmod(0o755)
            result = self.install(machine, "-x", "-g", "a,b c", "-Version", "1.2")
            self.assertEqual(4, result.returncode)
            arguments = re.findall("<(.*)>", result.stdout)
            self.assertEqual(["-NoProfile", "-ExecutionPolicy", "Bypass", "-File"], arguments[:4])
            self.assertTrue(arguments[4].endswith(".ps1"))
            self.assertEqual(["-x", "-g", "a,b c", "-Version", "1.2"], arguments[5:])

    def test_server_not_reachable(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            self.fails(2, rf"The server http://127\.0\.0\.1:{port} cannot be reached: .*\n  Nobody listens there", connect_url=f"http://127.0.0.1:{port}")
        self.fails(2, r"cannot be reached: .*\n  The name of the server is not known", connect_url="http://no-such-host.invalid")

    def test_server_without_tls(self):
        with support.WebServer({}) as plain:
            self.fails(2, r"cannot be reached: .*\n  No TLS connection", connect_url=plain.url.replace("http:", "https:"))

    def test_download_not_found(self):
        self.fails(3, r"Download of http://\S+/0\.9\.14/\S+\.msi failed: .*404", web_files={})

    def test_download_keeps_failing(self):
        _, machine = self.fails(3, "Download of .* failed: .*500", web_files={"/0.9.14/" + package_name("msi"): (500, b"x")})
        self.assertEqual(["Start-Sleep 2", "Start-Sleep 4"], machine.record)

    def test_html_and_nothing_instead_of_a_package(self):
        for body in (b"<html>Please log in</html>", b"", b"PK", b"MZ\x90\x00" * 10):
            self.fails(3, "neither an MSI package nor a zip archive", web_files={"/0.9.14/" + package_name("msi"): body})

    def test_checksum_differs(self):
        good = files()
        good["/0.9.14/" + package_name("msi")] += b"x"
        self.fails(3, "The sha256 of rport_0.9.14_windows_x86_64.msi differs from checksums.txt", web_files=good)

    def test_pinned_checksum_differs(self):
        self.fails(3, "differs from the value set by the operator", extra=f'sha256 = {{ "{package_name("msi")}" = "{"0" * 64}" }}\n')

    def test_strict_checksums_refuse_what_nobody_has_named(self):
        """A signature does not replace the sha256, neither does an address of one's own; listed or pinned packages are taken."""
        strict = "strict_checksums = true\n"
        unknown = r"No sha256 is known for {}, and this pairing service demands one.\n  Its operator can add it: \[installer\] sha256"
        machine = support.Windows()
        machine.world["Signature"] = "Valid"
        self.fails(3, unknown.format(package_name("msi")), machine=machine, web_files=files(listed=False), extra=strict)
        self.fails(3, unknown.format(package_name("zip")), kind="zip", web_files=files("zip", listed=False), extra=strict)
        with support.WebServer({"/own.zip": support.zip_package("7.7.7")}) as own:
            self.fails(3, unknown.format("own.zip"), "-pkgUrl", own.url + "/own.zip", extra=strict)
        pinned = f'sha256 = {{ "{package_name("zip")}" = "{hashlib.sha256(support.zip_package()).hexdigest()}" }}\n'
        tacoscript = {"/taco/stable/?arch=Windows_x86_64": support.zip_package(names=("tacoscript.exe",))}
        for web_files, more, arguments in ((files("zip"), "", ()), (files("zip", listed=False), pinned, ()), ({**files("zip"), **tacoscript}, "", ("-i",))):
            with support.Windows() as machine:
                result = self.install(machine, *arguments, kind="zip", web_files=web_files, extra=strict + more)
                if arguments:
                    self.assertEqual(3, result.returncode)
                    self.assertRegex(result.stderr, "Tacoscript was not installed: " + unknown.format("Tacoscript").split("\\n", maxsplit=1)[0])
                    self.assertFalse((machine.program_files / "tacoscript").exists())
                else:
                    self.assert_connected(machine, result)

    def test_signature_is_not_valid(self):
        for status in ("HashMismatch", "NotTrusted", "UnknownError"):
            machine = support.Windows()
            machine.world["Signature"] = status
            self.fails(3, rf"signature of \S+\.msi is not valid \({status}\)", machine=machine, web_files=files(listed=False))

    def test_zip_without_client_and_broken_zip(self):
        bad = support.zip_package(names=("other.exe",))
        self.fails(3, "holds no rport.exe", kind="zip", web_files=files("zip", package=bad), untouched=False)
        cut = support.zip_package()[:-30]
        self.fails(3, "could not be unpacked", kind="zip", web_files=files("zip", package=cut), untouched=False)

    def test_windows_installer_fails(self):
        machine = support.Windows()
        machine.world["MsiCodes"] = [1603]
        self.fails(1, r"Installing the package failed: msiexec ended with code 1603\.\n  The reason is in \S+\.log", machine=machine, untouched=False)

    def test_the_old_client_runs_again_after_a_failed_installation(self):
        with support.Windows() as machine:
            machine.install("0.9.1", config="[client]\nserver='x'\nauth='a:b'\nfingerprint='c'\nid = 'x'\n[logging]\nlog_file='" + str(machine.log_path) + "'\n")
            machine.world["MsiCodes"] = [1603]
            result = self.install(machine)
            self.assertEqual(1, result.returncode)
            self.assertEqual("Running", machine.status())
            self.assertEqual("a", machine.credentials()["client_id"])

    def test_access_cannot_be_restricted(self):
        machine = support.Windows()
        machine.world["IcaclsCode"] = 5
        self.fails(1, "Could not restrict access to .*rport.conf.new: Access is denied", machine=machine, kind="zip", untouched=False)

    def not_connected(self, verdict, message, **world):
        with support.Windows() as machine:
            machine.env["STAND_IN_VERDICT"] = verdict
            machine.world.update(world)
            result = self.install(machine, kind="zip")
            self.assertEqual(4, result.returncode, result.stdout + result.stderr)
            self.assertIn("! The client is installed but not connected. ", result.stderr)
            self.assertRegex(result.stderr, message)
            self.assertIn(str(machine.config_path), result.stderr)
            return result, machine, machine.status()

    def test_credentials_refused(self):
        result, machine, status = self.not_connected("refused", "The server refuses the client id or the password")
        self.assertIn("Authentication failed for", result.stderr)
        self.assertIn("***", result.stderr)
        # It must not go on and get the address banned.
        self.assertEqual("Stop-Service rport", machine.record[-1])
        self.assertEqual("Stopped", status)

    def test_id_in_use(self):
        self.not_connected("duplicate", "already knows a client with this id")

    def test_no_word_in_the_log(self):
        result, machine, status = self.not_connected("silent", "The log shows no connection yet")
        self.assertEqual("Running", status)
        self.assertEqual(60, machine.record.count("Start-Sleep 1"))
        self.assertIn("Connecting to", result.stderr)

    def test_service_ends_at_once(self):
        self.not_connected("crash", "The service ended at once")

    def test_service_does_not_start(self):
        self.not_connected("connected", "Windows could not start the service", StartFails=True)

    def test_old_lines_of_the_log_do_not_count(self):
        with support.Windows() as machine:
            machine.install(config=f"[client]\nid='x'\n[logging]\nlog_file='{machine.log_path}'\n")
            machine.log_path.write_text("Connected to old server\n")
            machine.env["STAND_IN_VERDICT"] = "refused"
            self.assertEqual(4, self.install(machine).returncode)

    def test_client_that_does_not_stop_is_ended(self):
        with support.Windows() as machine:
            machine.install(config="[client]\nid='x'\n")
            machine.world.update({"ServiceHangs": True, "Hanging": str(machine.exe)})
            self.assert_connected(machine, self.install(machine))
            self.assertIn("Stop-Process 4711", machine.record)

    def test_service_that_cannot_be_stopped(self):
        with support.Windows() as machine:
            machine.install(config="[client]\nid='x'\n")
            machine.world["ServiceHangs"] = True
            config = machine.config_path.read_bytes()
            result = self.install(machine)
            self.assertEqual(1, result.returncode)
            self.assertIn("The service rport does not stop.", result.stderr)
            self.assertEqual(config, machine.config_path.read_bytes())

    def test_log_that_cannot_be_written(self):
        for name in ("/no-such-folder/log", "."):
            self.fails(1, "The file for the messages cannot be written", "-Log", name)

    def test_tacoscript_fails(self):
        for body, message in (((404, b""), "404"), (b"<html>", "neither an MSI"), (support.msi_package(), "no zip archive"),
                              (support.zip_package(), "holds no tacoscript.exe")):
            with support.Windows() as machine:
                result = self.install(machine, "-i", web_files={**files(), "/taco/stable/?arch=Windows_x86_64": body})
                self.assertEqual(3, result.returncode)
                self.assertIn("* The client is connected", result.stdout)
                self.assertRegex(result.stderr, "Tacoscript was not installed: .*" + message)

    def test_bad_arguments(self):
        for arguments in (("-Version", "1.0; rm"), ("-Version", "../../x"), ("-pkgUrl", "ftp://x/y"), ("-pkgUrl", "file:///etc/passwd"),
                          ("-pkgUrl", "C:\\x.msi"), ("-g", "a\x01b")):
            self.fails(1, "no http or https URL|not a version number|control characters", *arguments)

    def test_unknown_and_stray_arguments(self):
        for arguments in (("-bogus",), ("stray",), ("-x", "true"), ("-g",)):
            with support.Windows() as machine:
                before = machine.tree()
                result = machine.run(self.script(), *arguments)
                self.assertEqual(1, result.returncode, arguments)
                self.assertNotEqual("", result.stderr)
                self.assertEqual("", result.stdout)
                self.assert_untouched(machine, before)

    def script(self):
        with support.pairport() as service:
            return support.deposit_and_fetch(service)


if __name__ == "__main__":
    support.main()
