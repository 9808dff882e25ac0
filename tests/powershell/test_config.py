# SPDX-License-Identifier: MIT
"""The configuration functions, run apart from Windows: what they write, a real TOML parser reads back."""

import base64
import os
import pathlib
import random
import sys
import tempfile
import tomllib
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pssupport as support  # noqa: E402
from pssupport import literal  # noqa: E402
from test_values import nasty  # noqa: E402

KEYS = ("server", "enabled", "allow", "net_lan", "log_file", "id", "new-key")
TABLES = ("client", "logging", "remote-commands", "remote-scripts", "monitoring", "file-reception", "brand-new")


def random_value(generator):
    return generator.choice([
        '"a"', "'C:\\x\\y'", "true", "12", "[]", "['a', 'b']", '"# no comment"', "'[client]'", '"a \\" [logging] = \\\\"',
        "[\n  'x', # ] [client]\n  '''y'''\n  ]", '"""\n[client]\nserver = 1\n\\""" "" """', "'''\n# x\nenabled = true\n'''",
        "[[1, 2],\n[3]]", "{ a = 1, b = ']' }", '"\\u00e9\\U0001F600"', '""', "''", '""""quoted"""""', "1979-05-27T07:32:00Z",
    ])


def random_document(generator):
    lines = []
    for table in generator.sample(TABLES[:-1], generator.randint(0, 5)):
        header = generator.choice(["[{}]", "[ {} ]", "  [{}]  # note", '["{}"]', "[{}]"]).format(table)
        lines += [generator.choice(["", "# [client]", "#enabled = true"]), header]
        for key in generator.sample(KEYS[:-1], generator.randint(0, 4)):
            lines.append(generator.choice(["", "  ", "\t"]) + generator.choice(["{}", '"{}"', "'{}'"]).format(key)
                         + generator.choice([" = ", "=", "  =  "]) + random_value(generator)
                         + generator.choice(["", "  # note ' \" ["]))
            lines.append(generator.choice(["", f"  #{generator.choice(KEYS)} = ['x',", "  ## enabled = prose"]))
        if generator.random() < 0.2:
            lines += [f"[{table}.sub]", "enabled = 'sub'"]
    text = "\n".join(lines) + generator.choice(["", "\n", "\n\n\n"])
    return text.replace("\n", "\r\n") if generator.random() < 0.3 else text


class Functions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.host()
        with support.pairport() as service:
            cls.script = support.deposit_and_fetch(service)

    def run_functions(self, text, folder):
        """Runs PowerShell with the functions of the installer; returns its output lines."""
        folder = pathlib.Path(folder)
        (folder / "script.ps1").write_bytes(self.script)
        # Tests are texts with all kinds of characters: PowerShell 7 reads them as UTF-8.
        (folder / "test.ps1").write_text("Set-StrictMode -Version 3\n$World = $null\n$Log = ''\n$WhatIf = $false\n" + text, encoding="utf-8")
        result = support.pshost("functions", "--prelude", support.HERE / "stubs" / "utility.ps1", folder / "script.ps1",
                                folder / "test.ps1", cwd=folder)
        self.assertEqual("", result.stderr)
        self.assertEqual(0, result.returncode)
        return result.stdout.splitlines()


class ConfigFunctions(Functions):
    def test_the_example_of_the_packages_with_300_nasty_pairs(self):
        generator = random.Random(7)
        pairs = [(nasty(generator, 256).replace(":", "") or "x", nasty(generator, 1024)) for _ in range(300)]
        pairs += [("control", "".join(map(chr, range(0x20))) + "\x7f")]
        with tempfile.TemporaryDirectory() as folder:
            self.run_functions(
                f"$pairs = {literal([list(pair) for pair in pairs])}\n"
                # A control character cannot be deposited; the writer must cope all the same.
                "$pairs[300] = @('control', (-join @(0..31 + 127 | ForEach-Object { [char]$_ })))\n"
                "for ($index = 0; $index -lt $pairs.Count; $index++) {\n"
                f"  $config = Read-Config {literal(str(support.EXAMPLE))}\n"
                "  Set-ConfigValue $config 'client' 'auth' (ConvertTo-TomlString ($pairs[$index][0] + ':' + $pairs[$index][1]))\n"
                f"  [IO.File]::WriteAllText({literal(folder)} + '/' + $index + '.conf', (Get-ConfigText $config))\n"
                "}\n", folder)
            for index, (name, password) in enumerate(pairs):
                data = (pathlib.Path(folder) / f"{index}.conf").read_bytes()
                self.assertFalse(data.startswith(b"\xef\xbb\xbf"))
                self.assertEqual(f"{name}:{password}", tomllib.loads(data.decode())["client"]["auth"])

    def test_an_edit_changes_what_it_names_and_nothing_else(self):
        """Random documents, random edits: the parsed file afterwards is the parsed file before plus the edit."""
        generator = random.Random(11)
        cases = []
        while len(cases) < 250:
            document = random_document(generator)
            before = tomllib.loads(document)
            cases.append((document, before, generator.choice(TABLES), generator.choice(KEYS)))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            for index, case in enumerate(cases):
                (path / f"{index}.in").write_bytes(case[0].encode())
            self.run_functions(
                f"$edits = {literal([[table, key] for _, _, table, key in cases])}\n"
                "for ($index = 0; $index -lt $edits.Count; $index++) {\n"
                f"  $config = Read-Config ({literal(folder)} + '/' + $index + '.in')\n"
                "  Set-ConfigValue $config $edits[$index][0] $edits[$index][1] '\"edited\"'\n"
                f"  [IO.File]::WriteAllText({literal(folder)} + '/' + $index + '.out', (Get-ConfigText $config))\n"
                "}\n", folder)
            for index, (document, before, table, key) in enumerate(cases):
                replaced = key in before.get(table, {})
                before.setdefault(table, {})[key] = "edited"
                after = (path / f"{index}.out").read_bytes().decode()
                self.assertEqual(before, tomllib.loads(after), document)
                if "\r\n" not in document:
                    self.assertNotIn("\r", after)
                if not replaced:
                    # Every line is still there, in its order.
                    kept = iter(after.splitlines())
                    self.assertTrue(all(line in kept for line in document.rstrip().splitlines()), after)

    def test_duplicate_keys_become_one(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                "$config = New-Config \"[client]`nserver = 'a'`nserver = [`n 1,`n 2]`nid = 'x'`nserver = 'c'`n[logging]`nserver = 'd'`n\"\n"
                "Set-ConfigValue $config 'client' 'server' \"'new'\"\n(Get-ConfigText $config)\n", folder)
        self.assertEqual(["[client]", "  server = 'new'", "id = 'x'", "[logging]", "server = 'd'"], lines[:5])

    def test_broken_files_are_recognised(self):
        broken = ["[client", "x", "a = \"b", "a = [1,\n2", "a = '''\nx", "= 1", "[client]\nkey value", "a = 'b\n'"]
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                f"foreach ($text in {literal(broken)}) {{ try {{ $null = @(Get-ConfigLayout (New-Config $text)); 'fine: ' + $text }}"
                " catch { $_.Exception.Message } }\n", folder)
        self.assertEqual(len(broken), len(lines))
        self.assertTrue(all(line.startswith("rport.conf: ") for line in lines), lines)

    def test_what_stands_twice_is_recognised(self):
        cases = {"[a]\nx=1\n[b]\nx=1\n": "", "[a]\nx=1\n[b]\n[a]\n": "line 4 repeats line 1", "[a]\nx=1\ny=2\n'x'=3\n": "line 4 repeats line 2",
                 "[[a]]\nx=1\n[[a]]\nx=2\n[a.b]\n[[a]]\n[a.b]\n": "", "x=1\n[a]\nx=1\nX=1\n": "", "x=1\nx=2": "line 2 repeats line 1"}
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                f"foreach ($text in {literal(list(cases))}) {{ try {{ Assert-Config (New-Config $text); 'fine' }} catch {{ $_.Exception.Message }} }}\n", folder)
        self.assertEqual([f"rport.conf: {text}" if text else "fine" for text in cases.values()], lines)

    def test_values_are_read_back(self):
        cases = {'"a\\u00e9\\n\\"\\\\x"': "a\u00e9\n\"\\x", "'C:\\x'": "C:\\x", '"\\U0001F600" # "b"': "\U0001f600", "''": "", "true": ""}
        document = "[client]\n" + "".join(f"k{i} = {text}\n" for i, text in enumerate(cases))
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                f"$config = New-Config {literal(document)}\n"
                f"0..{len(cases) - 1} | ForEach-Object {{ [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes((Get-ConfigString $config 'client' ('k' + $_)))) + '.' }}\n"
                "@(ConvertFrom-TomlStrings \"['a', # 'no'`n \"\"b\"\", 'c']\") -join '|'\n", folder)
        self.assertEqual(list(cases.values()), [base64.b64decode(line[:-1]).decode() for line in lines[:-1]])
        self.assertEqual("a|b|c", lines[-1])

    def test_byte_order_mark_and_other_encodings(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder)
            (path / "bom").write_bytes(b"\xef\xbb\xbf[client]\r\nname = '\xc3\xa4'\r\n")
            (path / "ansi").write_bytes(b"[client]\r\nname = '\xe4'\r\n")
            self.run_functions(
                f"foreach ($name in 'bom', 'ansi') {{ $config = Read-Config ({literal(folder)} + '/' + $name)\n"
                "  Set-ConfigValue $config 'client' 'id' \"'1'\"\n"
                f"  [IO.File]::WriteAllText({literal(folder)} + '/' + $name, (Get-ConfigText $config)) }}\n", folder)
            for name in ("bom", "ansi"):
                self.assertEqual(b"[client]\r\n  id = '1'\r\nname = '\xc3\xa4'\r\n", (path / name).read_bytes())


class SmallFunctions(Functions):
    """Versions, URLs, checksums, addresses, tags: pure functions."""

    def test_version_compare(self):
        rising = ["0.9.2", "0.9.10", "0.9.14-rc1", "0.9.14-rc2", "0.9.14", "0.9.14.1", "0.10", "1.0.0-alpha", "1", "1.0.1+build5", "10.0"]
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                f"$v = {literal(rising)}\nforeach ($a in $v) {{ (@($v | ForEach-Object {{ Compare-Version $a $_ }}) -join ',') }}\n"
                "Compare-Version 'v1.0' '1.0.0'\nCompare-Version '' '0.0'\nCompare-Version '1.0.1+a' '1.0.1+b'\n", folder)
        for index, line in enumerate(lines[:len(rising)]):
            self.assertEqual([(index > other) - (index < other) for other in range(len(rising))], list(map(int, line.split(","))))
        self.assertEqual(["0", "0", "0"], lines[len(rising):])

    def test_urls(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                "Expand-UrlTemplate 'https://h/{version}/x_{os}_{arch}?c={channel}{other}' '1.2$&' 'windows' 'stable'\n"
                "Get-UrlFileName 'https://h/a/b%20c.msi?x=/y#z'\n"
                "$WindowsUrl = 'https://h/{version}/r_{os}_{arch}.MSI'\n"
                "(Get-PackageUrl '1' '') -join ' '\n(Get-PackageUrl '1' 'zip') -join ' '\n(Get-PackageUrl '1' 'msi') -join ' '\n"
                "$WindowsUrl = 'https://h/latest.php?arch={os}'\n(Get-PackageUrl '1' 'zip') -join ' '\n"
                "foreach ($s in 'https://a/b', 'http://a', 'wss://a:1/x', 'ws://[::1]:2', 'host:8080', '[::1]:80') { Get-ServerUrl $s }\n"
                "Get-PrintableUrl 'https://user:secret@host/path?token=x'\n", folder)
        self.assertEqual([
            "https://h/1.2$&/x_windows_x86_64?c=stable{other}", "b c.msi",
            "https://h/1/r_windows_x86_64.MSI", "https://h/1/r_windows_x86_64.zip https://h/1/r_windows_x86_64.MSI",
            "https://h/1/r_windows_x86_64.MSI", "https://h/latest.php?arch=windows",
            "https://a/b", "http://a", "https://a:1/x", "http://[::1]:2", "http://host:8080", "http://[::1]:80",
            "https://host/path"], lines)

    def test_checksum_lists(self):
        a, b = "a" * 64, "B" * 64
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                f"$list = '{a}  x.zip' + \"`r`n\" + '{b} *y.msi' + \"`n\" + 'bad  z.zip' + \"`n\"\n"
                "foreach ($n in 'x.zip', 'y.msi', 'X.zip', 'z.zip', 'x?zip') { '<' + (Find-Checksum $list $n) + '>' }\n", folder)
        self.assertEqual([f"<{a}>", f"<{b.lower()}>", "<>", "<>", "<>"], lines)

    def test_addresses(self):
        cases = {"10.1.2.3": "lan", "172.16.0.1": "lan", "172.32.0.1": "wan", "192.168.9.9": "lan", "192.169.0.1": "wan", "100.64.0.1": "lan",
                 "127.0.0.1": "", "169.254.1.1": "", "8.8.8.8": "wan", "fe80::1": "", "x": "", "224.0.0.1": "", "0.0.0.0": ""}
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(f"foreach ($a in {literal(list(cases))}) {{ '<' + (Get-AddressKind $a) + '>' }}\n", folder)
        self.assertEqual([f"<{kind}>" for kind in cases.values()], lines)

    def test_service_command_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                "foreach ($c in '\"C:\\Program Files\\rport\\rport.exe\" -c \"C:\\Program Files\\rport\\rport.conf\"', "
                "'C:\\rport\\rport.exe --config C:\\rport\\r.conf', 'C:\\My Dir\\rport.exe', '', 'nonsense')"
                " { '<' + (Get-CommandPath $c) + '|' + (Get-CommandConfig $c) + '>' }\n", folder)
        self.assertEqual(["<C:\\Program Files\\rport\\rport.exe|C:\\Program Files\\rport\\rport.conf>", "<C:\\rport\\rport.exe|C:\\rport\\r.conf>",
                          "<C:\\My Dir\\rport.exe|>", "<|>", "<|>"], lines)

    def test_verdicts_of_the_log(self):
        cases = {"x Connected to console:1": "connected", "x Disconnected to": "", "Authentication failed: y": "refused",
                 "client id 5 is already in use": "duplicate", "invalid config: z": "invalid", "Invalid fingerprint (aa)": "untrusted", "": ""}
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(f"foreach ($a in {literal(list(cases))}) {{ '<' + (Get-LogVerdict @($a)) + '>' }}\n", folder)
        self.assertEqual([f"<{verdict}>" for verdict in cases.values()], lines)

    def test_arguments_for_another_process(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = self.run_functions(
                "$on = [Management.Automation.SwitchParameter]$true; $off = [Management.Automation.SwitchParameter]$false\n"
                "ConvertTo-ArgumentList ([ordered]@{ x = $on; t = $off; g = @('a', 'b'); Version = '1.2' })\n", folder)
        self.assertEqual(["-x", "-g", "a,b", "-Version", "1.2"], lines)


if __name__ == "__main__":
    support.main()
