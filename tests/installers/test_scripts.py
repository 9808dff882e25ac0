# SPDX-License-Identifier: MIT
"""The served Linux scripts as texts: clean for shellcheck, valid in every shell, small, and harmless when cut off."""

import gzip
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import support

LIMITS = {"installer": 24_000, "update": 19_000, "uninstall": 8_000, "not_found": 1024}  # gzip, what goes over the wire


class Scripts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with support.Pairport(support.configuration("http://127.0.0.1:1")) as service:
            code = service.deposit(connect_url="http://127.0.0.1:1", fingerprint=support.FINGERPRINT, client_id="it's",
                                   password="it's")["pairing_code"]
            cls.scripts = {"installer": service.get("/" + code)[2], "update": service.get("/update")[2],
                           "uninstall": service.get("/uninstall")[2], "not_found": service.get("/zzzzzzz")[2]}

    def each(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in self.scripts.items():
            path = pathlib.Path(folder.name, name + ".sh")
            path.write_bytes(text)
            yield name, text, path

    def test_shellcheck_has_nothing_to_say(self):
        if not shutil.which("shellcheck"):
            self.skipTest("SKIPPED: no shellcheck on this machine")
        for _, text, path in self.each():
            result = subprocess.run(["shellcheck", "--shell=sh", "--severity=style", str(path)], capture_output=True, text=True)
            self.assertEqual(result.stdout, "")
            self.assertNotRegex(text.decode(), r"(?m)^# *shellcheck")  # at the start of a line it would be for a whole function or file

    def test_every_shell_parses_them(self):
        for _, _, path in self.each():
            for shell in (*support.SHELLS, "busybox sh"):
                if shutil.which(shell.split()[0]):
                    result = subprocess.run([*shell.split(), "-n", str(path)], capture_output=True, text=True)
                    self.assertEqual((shell, result.returncode, result.stderr), (shell, 0, ""))

    def test_every_shell_is_here(self):
        missing = [shell for shell in support.EVERY_SHELL if shell not in support.SHELLS]
        self.assertLessEqual(set(missing), {"yash"}, "every Debian has the others")
        if missing:
            self.skipTest(f"SKIPPED: no {missing[0]} on this machine, so no script was tested in it")

    def test_sizes(self):
        for name, text, _ in self.each():
            self.assertLess(len(gzip.compress(text)), LIMITS[name], name)
            self.assertLess(max(map(len, text.splitlines())), 200)

    def test_everything_is_in_functions(self):
        for name, text, _ in self.each():
            self.assertEqual(text.rstrip(b"\n").splitlines()[-2:], [b'main "$@"', b"}"])
            inside = False
            for line in text.decode().splitlines():
                if inside or re.match(r"\w+\(\) \{", line):
                    inside = line != "}" and (inside or not line.endswith("}"))
                    continue
                self.assertRegex(line, r"^(#.*|[A-Z_]+='[^']*'( [A-Z_]+=\S+)*|[A-Z_]+=\S+( [A-Z_]+=\S+)*|main \"\$@\"|[{}]|)$")

    def test_the_values_stand_in_one_block(self):
        text = self.scripts["installer"]
        places = [text.index(name + b"=") for name in (b"\nFINGERPRINT", b"\nCONNECT_URL", b"\nCLIENT_ID", b"\nPASSWORD")]
        self.assertEqual(places, sorted(places))
        self.assertLess(places[-1] - places[0], 200)

    def test_no_option_differs_from_another_by_case_alone(self):
        """PowerShell ignores case. -N and -n, -V and -v were promised before this rule."""
        names = set()
        for name in ("installer", "update", "uninstall"):
            names |= set(re.search(r"getopts :(\S+) option", self.scripts[name].decode())[1].replace(":", ""))
        for name in ("installer", "update", "uninstall"):
            text = (support.ROOT / "render/scripts/templates/windows" / f"{name}.ps1").read_text(encoding="utf-8")
            parameters = text[text.index("param("):]
            parameters = re.findall(r"(?m)\$(\w+)|\[Alias\('(\w+)'\)\]", parameters[:parameters.index("\n)")])
            names |= {found for pair in parameters for found in pair if found}
        self.assertIn("pkgUrl", names)
        spellings = {}
        for name in names:
            spellings.setdefault(name.lower(), set()).add(name)
        self.assertEqual({lower for lower, found in spellings.items() if len(found) > 1}, {"n", "v"})

    def test_help_names_every_option_and_none_besides(self):
        for name in ("installer", "update", "uninstall"):
            text = self.scripts[name].decode()
            letters = set(re.search(r"getopts :(\S+) option", text)[1].replace(":", ""))
            named = set(re.findall(r"(?m)^  -(\w)", text))
            self.assertEqual(letters - named, {"u"} if name == "uninstall" else set(), name)
            self.assertEqual(named - letters, set(), name)
            for letter in letters - {"h"}:
                self.assertRegex(text, rf"(?m)^\s+{letter}\) |\bhas {letter}\b", name)


if __name__ == "__main__":
    support.main()
