# SPDX-License-Identifier: MIT
"""What the README shows is what the project does."""

import pathlib
import re
import subprocess
import textwrap
import unittest

import runner
from pairport_process import Pairport, binary

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


class Readme(unittest.TestCase):
    def test_the_embedding_example_is_the_one_that_is_compiled(self):
        source = (ROOT / "tests" / "readme_example.cc").read_text(encoding="utf-8")
        example = textwrap.dedent(source.split("// README: begin\n")[1].split("  // README: end\n")[0])
        self.assertIn("```cpp\n" + example + "```\n", README)

    def test_help_is_the_real_output(self):
        shown = re.search(r"```\n\$ pairport --help\n(.*?)```\n", README, re.S).group(1)
        real = subprocess.run([binary(), "--help"], capture_output=True, text=True, timeout=60).stdout
        # The packaged versions of the option parser differ in white space and in how they show the program's name.
        words = lambda text: re.sub(r"\s+", " ", text.replace(binary(), "pairport")).strip()
        self.assertEqual(set(words(shown).split()) - set(words(real).split()), set())

    def test_the_first_lines_of_the_installer_are_the_real_ones(self):
        with Pairport() as service:
            code = service.deposit(connect_url="http://rport.example.com:8080", client_id="client1", password="foobaz",
                                   fingerprint="2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24")["pairing_code"]
            first = b"".join(service.get("/" + code)[2].splitlines(keepends=True)[:12])
        self.assertIn(first.decode() + "```\n", README)

    def test_the_help_of_the_linux_scripts_is_the_real_output(self):
        with Pairport() as service:
            code = service.deposit(connect_url="http://rport.example.com", fingerprint=":".join(["2a"] * 16), client_id="id",
                                   password="x")["pairing_code"]
            for name, path in (("installer", "/" + code), ("update", "/update"), ("uninstall", "/uninstall")):
                script = service.get(path)[2]
                real = subprocess.run(["sh", "-s", "--", "-h"], input=script, capture_output=True, timeout=60)
                self.assertEqual(real.returncode, 0, real.stderr)
                self.assertIn(f"$ sh rport-{name}.sh -h\n{real.stdout.decode()}```\n", README)

    def test_every_source_folder_and_file_of_the_map_exists(self):
        paths = re.findall(r"^\d+\. `([^`]+)`", README, re.M)
        self.assertGreater(len(paths), 10)
        for path in paths:
            self.assertTrue((ROOT / path).exists(), path)

    def test_the_version_stands_in_the_changelog(self):
        version = re.search(r"project\(pairport VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")).group(1)
        self.assertIn(f"## {version}", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))

    def test_every_key_of_the_configuration_is_named(self):
        for key in re.findall(r"^\s*#?\s*([a-z0-9_]+) = ", (ROOT / "packaging" / "pairport.conf").read_text(encoding="utf-8"), re.M):
            self.assertIn(f"`{key}`", README, key)


if __name__ == "__main__":
    runner.run()
