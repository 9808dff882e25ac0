# SPDX-License-Identifier: MIT
"""The tree-sitter grammar of PowerShell finds no error in any served script: a second parser, independent of .NET.

It is a grammar, no proof of semantics. Its known false alarms (valid PowerShell that it reports), none of which the
scripts contain, are kept in FALSE_ALARMS and tested too: when a newer grammar no longer raises one, that test says so.
"""

import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pssupport as support  # noqa: E402

GRAMMAR = support.HERE / "grammar"
FALSE_ALARMS = {
    "a file of comments only": "# nothing but a comment\n",
    "two dashes before an argument": "& x --a=b\n",
    "a switch on one line": "switch ($a) { 1 { 'x' } default { 'y' } }\n",
    "an operator right in an argument of a method": "[Math]::Abs($a -bor 3)\n",
}


@functools.lru_cache(maxsize=None)
def modules():
    """The folder of the installed packages. Raises SkipTest with the reason where they cannot be had."""
    for tool in ("node", "npm"):
        if not shutil.which(tool):
            raise unittest.SkipTest(f"SKIPPED: no {tool} on this machine")
    folder = support.build_folder("powershell-grammar")
    lock = (GRAMMAR / "package-lock.json").read_bytes()
    installed = folder / "installed"
    if not installed.exists() or installed.read_bytes() != lock:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(GRAMMAR / name, folder)
        result = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
        if result.returncode != 0:
            raise unittest.SkipTest("SKIPPED: the npm packages of the grammar are not to be had here: " + result.stderr[-600:].strip())
        installed.write_bytes(lock)
    return folder / "node_modules"


class Grammar(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        installed = modules()
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            files = {}
            with support.pairport() as service:
                for name in support.SCRIPTS:
                    files["served " + name] = support.fetch(service, name)
                files["served nasty"] = support.fetch(service, "installer", client_id="it's `$(x)` \u2018a\u2019 \U0001f600",
                                                      password="'; exit 9 #\u201b\"$env:X %PATH% & | <# #>")
            for name, text in cls.broken_templates(folder):
                files["broken " + name] = text
            for name, text in FALSE_ALARMS.items():
                files["alarm " + name] = text.encode()
            # One process for all: compiling the grammar takes most of the time.
            paths = []
            for index, text in enumerate(files.values()):
                paths.append(folder / f"{index}.ps1")
                paths[-1].write_bytes(text)
            result = subprocess.run(["node", str(GRAMMAR / "check.mjs"), *map(str, paths)], capture_output=True, text=True,
                                    env={**os.environ, "NODE_MODULES": str(installed)})
            if result.stderr or result.returncode != 1:
                raise RuntimeError(f"the check itself failed: {result.returncode} {result.stderr}")
            cls.errors = {name: [line for line in result.stdout.splitlines() if line.startswith(f"{path}:")]
                          for name, path in zip(files, paths)}

    @staticmethod
    def broken_templates(folder):
        """What the program serves from templates of the operator that are the real ones with one mistake each."""
        windows = support.ROOT / "render" / "scripts" / "templates" / "windows"
        breaks = {
            "installer": ("function Install-Client {", "function Install-Client { ("),
            "update": ("    if ($x -and $d) {", "    if ($x -and $d {"),
            "uninstall": ("$client = Get-Client\n", "$client = 'Get-Client\n"),
            "not_found": ("exit 1\n", "if (exit 1\n"),
        }
        override = folder / "override" / "windows"
        override.mkdir(parents=True)
        for name, (right, wrong) in breaks.items():
            text = (windows / (name + ".ps1")).read_text()
            if text.count(right) != 1:
                raise RuntimeError("the template changed, this test must too: " + name)
            (override / (name + ".ps1")).write_text(text.replace(right, wrong))
        with support.pairport(extra=f'templates = "{override.parent}"\n') as service:
            return [(name, support.fetch(service, name)) for name in breaks]

    def test_no_error_in_any_served_script(self):
        served = {name: errors for name, errors in self.errors.items() if name.startswith("served ")}
        self.assertEqual(5, len(served))
        self.assertEqual({name: [] for name in served}, served)

    def test_a_broken_template_fails_the_check(self):
        broken = {name: errors for name, errors in self.errors.items() if name.startswith("broken ")}
        self.assertEqual(4, len(broken))
        self.assertEqual([], [name for name, errors in broken.items() if not errors])

    def test_known_false_alarms(self):
        for name in FALSE_ALARMS:
            self.assertNotEqual([], self.errors["alarm " + name], name + ": no false alarm any more, remove it from the list")


if __name__ == "__main__":
    support.main()
