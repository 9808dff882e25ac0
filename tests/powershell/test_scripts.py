# SPDX-License-Identifier: MIT
"""The served scripts as texts: they parse, are ASCII, need nothing newer than PowerShell 4, and show their help."""

import json
import os
import pathlib
import re
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pssupport as support  # noqa: E402

NASTY = {"client_id": "it's `$(x)` \u2018a\u2019 \U0001f600", "password": "'; exit 9 #\u201b\"$env:X %PATH% & | <# #>"}

# Every command that a script calls besides its own functions, and since when it exists. Windows PowerShell 4 is part of
# Windows 8.1 and Server 2012 R2; what needs such a Windows is called behind Get-Command or not below it.
KNOWN_COMMANDS = {
    "Add-Type": 2, "ConvertFrom-Json": 3, "ForEach-Object": 1, "Get-AuthenticodeSignature": 1, "Get-ChildItem": 1,
    "Get-CimInstance": 3, "Get-Command": 1, "Get-Help": 1, "Get-ItemProperty": 1, "Get-NetAdapter": "Windows 8",
    "Get-NetIPAddress": "Windows 8", "Get-Process": 1, "Get-Service": 1, "Invoke-CimMethod": 3, "New-Object": 1,
    "New-ScheduledTaskAction": "Windows 8", "New-ScheduledTaskSettingsSet": "Windows 8",
    "New-ScheduledTaskTrigger": "Windows 8", "Out-Host": 1, "Register-ScheduledTask": "Windows 8", "Select-Object": 1,
    "Sort-Object": 1, "Start-Process": 1, "Start-Service": 1, "Start-Sleep": 1, "Stop-Process": 1, "Stop-Service": 1,
    "Where-Object": 1, "Write-Host": 1,
    # Programs and functions named by a variable.
    "$File": 0, "$Function": 0, "$shell": 0,
}

# What the methods are called on, for the comparison with .NET 4.5: Windows PowerShell 4 may have nothing newer.
STRING, LIST, ENCODING = "System.String", "System.Collections.Generic.List`1", "System.Text.Encoding"
RECEIVERS = {
    "Add": LIST, "AddHours": "System.DateTime", "AddSeconds": "System.DateTime", "Append": "System.Text.StringBuilder",
    "Close": "System.Net.WebResponse", "ContainsKey": "System.Collections.Hashtable", "ComputeHash": "System.Security.Cryptography.HashAlgorithm", "Contains": STRING,
    "CopyTo": "System.IO.Stream", "Dispose": "System.IO.Stream System.IO.Compression.ZipArchive", "EndsWith": STRING,
    "GetAddressBytes": "System.Net.IPAddress", "GetBytes": ENCODING, "GetLeftPart": "System.Uri", "GetProxy": "System.Net.IWebProxy",
    "GetRange": LIST, "GetResponse": "System.Net.HttpWebRequest", "GetResponseStream": "System.Net.HttpWebResponse",
    "GetString": ENCODING, "GetUnresolvedProviderPathFromPSPath": "PowerShell", "IndexOf": STRING, "Insert": LIST,
    "IsBypassed": "System.Net.IWebProxy", "LastIndexOf": STRING, "Read": "System.IO.Stream", "ReadToEnd": "System.IO.StreamReader",
    "RemoveAt": LIST, "RemoveRange": LIST, "Replace": STRING, "Seek": "System.IO.Stream", "Set": "System.Net.WebHeaderCollection",
    "Split": STRING, "StartsWith": STRING, "Substring": STRING, "ToCharArray": STRING, "ToByteArray": "System.Guid", "ToLowerInvariant": STRING,
    "ToString": "System.DateTime System.Int32 System.Guid", "Trim": STRING, "TrimEnd": STRING, "TrimStart": STRING, "WriteErrorLine": "PowerShell",
}

PARAMETERS = {
    "installer": ["x", "t", "i", "r", "g", "d", "pkgUrl", "Version", "Log", "WhatIf", "DeleteScript", "h"],
    "update": ["t", "x", "d", "m", "f", "v", "r", "pkgUrl", "Log", "WhatIf", "h"],
    "uninstall": ["Log", "WhatIf", "h"],
}


class ServedScripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.host()
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.files = {}
        with support.pairport() as service:
            for name in support.SCRIPTS:
                path = pathlib.Path(cls.folder.name) / f"rport-{name}.ps1"
                path.write_bytes(support.fetch(service, name, **(NASTY if name == "installer" else {})))
                cls.files[name] = path

    def features(self, name):
        return json.loads(support.pshost("features", self.files[name]).stdout)

    def test_every_script_parses(self):
        result = support.pshost("parse", *self.files.values())
        self.assertEqual("", result.stdout)
        self.assertEqual(0, result.returncode)

    def test_every_function_has_a_comment_above_it(self):
        for name, path in self.files.items():
            lines = path.read_text(encoding="ascii").splitlines()
            functions = [(lines[i - 1], line) for i, line in enumerate(lines) if line.startswith("function ")]
            if name != "not_found":
                self.assertGreater(len(functions), 20, name)
            for above, line in functions:
                self.assertRegex(above, r"^# .{8,}", f"{name}: {line}")

    def test_the_header_says_by_whom_it_was_made_and_the_values_until_when(self):
        for name in ("installer", "update", "uninstall"):
            text = self.files[name].read_text(encoding="ascii")
            self.assertRegex(text, r"\.NOTES\n    Made by pairport \d+\.\d+\.\d+ for the pairing service\n    http://127\.0\.0\.1:\d+\n")
        time = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        self.assertRegex(self.files["installer"].read_text(encoding="ascii"),
                         rf"(?s)\n# values: begin\n# made {time}, valid until {time}\n\$Fingerprint = .*\n\$Password = .*?\n# values: end\n")

    def test_no_parameters_differ_by_case_alone(self):
        for name, parameters in PARAMETERS.items():
            self.assertEqual(len({parameter.lower() for parameter in parameters}), len(parameters), name)

    def test_the_parser_reports_a_broken_script(self):
        for name, path in self.files.items():
            text = path.read_text()
            broken = path.with_suffix(".broken")
            last = text.rindex("\nexit ")
            broken.write_text(text[:last] + "\nif ($x {\n" + text[last:])
            result = support.pshost("parse", broken)
            self.assertEqual(1, result.returncode, name)
            self.assertIn(str(broken) + ":", result.stdout)

    def test_a_truncated_script_does_nothing(self):
        """Cut anywhere, the file either does not parse or has not reached its last line, which starts everything."""
        for name in ("installer", "update", "uninstall"):
            text = self.files[name].read_text()
            self.assertTrue(text.rstrip().endswith("exit $script:ExitCode"), name)
            self.assertEqual(1, text.count("\nInvoke-Main '"), name)
            self.assertLess(len(text) - text.index("\nInvoke-Main '"), 80, name)

    def test_every_script_is_plain_ascii(self):
        for name, path in self.files.items():
            data = path.read_bytes()
            self.assertEqual([], [b for b in data if b > 0x7e or (b < 0x20 and b not in b"\n")], name)

    def test_nothing_is_newer_than_powershell_4(self):
        for name in support.SCRIPTS:
            features = self.features(name)
            self.assertEqual([], features["newer"], name)
            unknown = set(features["commands"]) - set(features["functions"]) - set(KNOWN_COMMANDS)
            self.assertEqual(set(), unknown, name)

    def net45(self, path):
        receivers = path.with_name("receivers.json")
        receivers.write_text(json.dumps(RECEIVERS))
        return support.pshost("net45", path, receivers)

    def test_nothing_is_newer_than_dotnet_4_5(self):
        for name in support.SCRIPTS:
            result = self.net45(self.files[name])
            self.assertEqual("", result.stdout, name)
            self.assertEqual(0, result.returncode, result.stderr)
            checks = int(result.stderr.split()[0])
            self.assertGreater(checks, {"not_found": -1, "uninstall": 100}.get(name, 400), name)

    def test_the_check_for_newer_dotnet_finds_it(self):
        path = self.files["installer"].with_name("dotnet.ps1")
        for text in ("[IO.File]::SetUnixFileMode('a', 1)", "[Convert]::ToHexString($x)", "$x.Contains('a', 1)", "[Text.Json.JsonDocument]$x",
                     "New-Object Text.StringBuilder 1 2 3 4 5 6", "[Net.HttpStatusCode]::TooManyRequests", "[IO.File]::Move($a, $b, $true)",
                     "New-Object 'Collections.Generic.PriorityQueue[string,int]'", "$x.Unheard()"):
            path.write_text(text)
            result = self.net45(path)
            self.assertEqual(1, result.returncode, text)
            self.assertNotEqual("", result.stdout, text)

    def test_the_check_for_newer_syntax_finds_it(self):
        path = self.files["installer"].with_name("newer.ps1")
        for text in ("$a ? 1 : 2", "$a ?? 1", "$a ??= 1", "class A {}", "enum E { A }", "[guid]::new()", "a && b",
                     "${a}?.b()", "${a}?.b", "sleep 1 &", "using namespace System"):
            path.write_text(text)
            self.assertEqual(1, len(json.loads(support.pshost("features", path).stdout)["newer"]), text)

    def test_text_never_becomes_code(self):
        """No expandable string, no -replace, no Invoke-Expression, no script block made of text."""
        for name in support.SCRIPTS:
            features = self.features(name)
            self.assertEqual([], features["text_as_code"], name)
            self.assertNotIn("Invoke-Expression", features["commands"])
            self.assertNotIn("iex", features["commands"])

    def test_the_check_for_text_as_code_finds_it(self):
        path = self.files["installer"].with_name("code.ps1")
        for text in ("\"a $b\"", "$a -replace 'x', $b", "[scriptblock]::Create($a)", "$ExecutionContext.InvokeCommand"
                     ".ExpandString($a)"):
            path.write_text(text)
            self.assertEqual(1, len(json.loads(support.pshost("features", path).stdout)["text_as_code"]), text)

    def test_administrator_and_version_are_required(self):
        for name in ("installer", "update", "uninstall"):
            features = self.features(name)
            self.assertTrue(features["requires_admin"], name)
            self.assertEqual("4.0", features["requires_version"], name)

    def test_unknown_code_exits_1_and_says_so(self):
        result = support.pshost("run", self.files["not_found"])
        self.assertEqual(1, result.returncode)
        self.assertEqual("", result.stdout)
        self.assertIn("unknown or has expired", result.stderr)
        self.assertEqual("#No pairing found by pairing code ZZZZZZZ", self.files["not_found"].read_text().split("\n")[0])

    def test_the_command_to_paste_parses_and_ends_in_the_call(self):
        with support.pairport() as service:
            answer = service.deposit(connect_url="http://x:1", fingerprint=support.FINGERPRINT, client_id="a", password="b")
        path = self.files["installer"].with_name("paste.ps1")
        for name in ("windows", "windows_curl"):
            path.write_text(answer["installers"][name])
            result = support.pshost("parse", path)
            self.assertEqual("", result.stdout)
            lines = answer["installers"][name].split("\n")
            # User interfaces append options to the end.
            self.assertRegex(lines[-1], r"^powershell .*-File \.\\rport-installer\.ps1$")

    def test_the_command_with_curl_leaves_nothing_to_run_after_a_failure(self):
        with support.pairport() as service, tempfile.TemporaryDirectory() as folder:
            answer = service.deposit(connect_url="http://x:1", fingerprint=support.FINGERPRINT, client_id="a", password="b")
            fetch = answer["installers"]["windows_curl"].split("\n")[1].replace("curl.exe", "curl")
            script = pathlib.Path(folder, "rport-installer.ps1")
            paste = pathlib.Path(folder, "paste.ps1")
            for code, expected in ((answer["pairing_code"], True), ("1234567", False)):
                script.unlink(missing_ok=True)
                # Remove-Item is of a module that the host does not have.
                paste.write_text(fetch.replace(answer["pairing_code"], code).replace("Remove-Item -Force -ErrorAction SilentlyContinue rport-installer.ps1",
                                                                                     "[IO.File]::Delete('rport-installer.ps1')"))
                result = support.pshost("run", paste, cwd=folder)
                self.assertEqual(script.exists(), expected, result.stdout + result.stderr)
                self.assertEqual("Download failed." in result.stdout + result.stderr, not expected)

    def test_the_help_block_is_complete(self):
        for name, parameters in PARAMETERS.items():
            found = json.loads(support.pshost("help", self.files[name]).stdout)
            self.assertEqual(parameters, found["declared"], name)
            self.assertEqual(sorted(p.upper() for p in parameters), sorted(found["parameters"]), name)
            self.assertTrue(all(text.strip() for text in found["parameters"].values()), name)
            self.assertEqual(2, len(found["examples"]), name)
            self.assertGreaterEqual(len(found["links"]), 1, name)
            self.assertTrue(found["synopsis"].strip() and found["description"].strip(), name)

    def test_get_help_full_prints_what_the_documentation_promises(self):
        for name, parameters in PARAMETERS.items():
            script = self.files[name].with_name("help.ps1")
            script.write_text(f"Get-Help '{self.files[name]}' -Full | Out-Host")
            result = support.pshost("run", script)
            text = result.stdout
            for heading in ("NAME", "SYNOPSIS", "SYNTAX", "DESCRIPTION", "PARAMETERS", "INPUTS", "OUTPUTS",
                            "RELATED LINKS"):
                self.assertRegex(text, rf"(?m)^{heading}$", name)
            self.assertEqual(2, len(re.findall(r"-+ EXAMPLE \d -+", text)), name)
            for parameter in parameters:
                block = re.search(rf"(?m)^    -{parameter} (?:\[?<([A-Za-z\[\]]+)>\]?)\n((?:        .*\n|\s*\n)+)", text)
                self.assertIsNotNone(block, parameter)
                self.assertIn(block.group(1), ("SwitchParameter", "String", "String[]"))
                self.assertIn("Required?                    false", block.group(2))
                self.assertRegex(block.group(2), r"Default value +\S*")
                self.assertTrue(block.group(2).strip().split("\n")[0], parameter)
            self.assertIn("Exit codes: 0", text)
            self.assertEqual("", result.stderr)

    def test_no_line_of_the_help_is_too_wide_for_a_console(self):
        for name in PARAMETERS:
            block = self.files[name].read_text().split("<#")[1].split("#>")[0]
            self.assertEqual([], [line for line in block.split("\n") if len(line) > 79], name)

    def test_the_h_option_prints_the_help(self):
        for name in PARAMETERS:
            with support.Windows() as machine:
                before = machine.tree()
                result = machine.run(self.files[name].read_bytes(), "-h")
                self.assertEqual(0, result.returncode, result.stderr)
                self.assertIn("SYNOPSIS", result.stdout)
                self.assertIn("-WhatIf", result.stdout)
                self.assertEqual(before, machine.tree())


if __name__ == "__main__":
    support.main()
