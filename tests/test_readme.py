# SPDX-License-Identifier: MIT
"""What the README shows is what the project does."""

import pathlib
import re
import subprocess
import tempfile
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

    def test_the_values_of_the_installer_are_the_real_ones(self):
        with Pairport() as service:
            code = service.deposit(connect_url="http://rport.example.com:8080", client_id="client1", password="foobaz",
                                   fingerprint="2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24")["pairing_code"]
            script = service.get("/" + code)[2].decode()
        shown = re.search(r"# values: begin\n.*?# values: end\n", script, re.S)[0]
        without_times = lambda text: re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
        self.assertIn(without_times(shown) + "```\n", without_times(README))

    def test_the_help_of_the_linux_scripts_is_the_real_output(self):
        with Pairport() as service:
            code = service.deposit(connect_url="http://rport.example.com", fingerprint=":".join(["2a"] * 16), client_id="id",
                                   password="x")["pairing_code"]
            for name, path in (("installer", "/" + code), ("update", "/update"), ("uninstall", "/uninstall")):
                script = service.get(path)[2]
                real = subprocess.run(["sh", "-s", "--", "-h"], input=script, capture_output=True, timeout=60)
                self.assertEqual(real.returncode, 0, real.stderr)
                self.assertIn(f"$ sh rport-{name}.sh -h\n{real.stdout.decode()}```\n", README)

    def test_the_table_of_the_windows_tests_is_up_to_date(self):
        """The same in both manuals, and the numbers of tests are those that there are."""
        folder = ROOT / "tests" / "powershell"
        table = re.search(r"\n(\| what \| PowerShell 7\.6 engine.*?\n)\n", README, re.S)[1]
        self.assertIn(table, (folder / "README.md").read_text(encoding="utf-8"))
        counted = re.findall(r"`(test_\w+)` \((\d+) tests\)", table)
        self.assertEqual(len(counted), 3)
        for name, number in counted:
            self.assertEqual(int(number), len(re.findall(r"(?m)^    def test_", (folder / f"{name}.py").read_text(encoding="utf-8"))), name)

    def test_the_first_steps_of_script_server_deposit_what_is_typed(self):
        printed = re.search(r"^  cat <<END\n(.*?)^END\n", (ROOT / "script" / "server").read_text(encoding="utf-8"), re.S | re.M).group(1)
        lines = subprocess.run(["sh", "-c", f"cat <<END\n{printed}END"], capture_output=True, text=True, timeout=60).stdout.splitlines()
        for line in lines[:3]:
            self.assertIn(line + "\n", README)
        # A password that means something to curl's -F, and none that means something to the shell that it is typed into.
        self.assertIn("password=foobaz ", lines[1])
        with Pairport() as service:
            for password in ("a;b", "@/etc/passwd", "<x", 'a";type=text/html'):
                steps = "\n".join(lines[1:3]).replace("password=foobaz ", f"'password={password}' ").replace("127.0.0.1:9978", f"127.0.0.1:{service.port}")
                done = subprocess.run(["sh", "-c", steps], capture_output=True, text=True, timeout=60, cwd=self.folder())
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(f"PASSWORD='{password}'\n", done.stdout)

    def test_json_on_standard_input_deposits_what_is_typed(self):
        command = re.search(r"^\$ (curl [^\n]*<<'END'\n.*?^END\n)", README, re.S | re.M).group(1)
        with Pairport() as service:
            done = subprocess.run(["sh", "-c", command.replace("127.0.0.1:9978", f"127.0.0.1:{service.port}")], capture_output=True,
                                  text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            code = re.search(r'"pairing_code":"([^"]+)"', done.stdout).group(1)
            self.assertIn(b"PASSWORD='a;b'\n", service.get("/" + code)[2])

    def folder(self):
        folder = tempfile.TemporaryDirectory(prefix="pairport-readme-")
        self.addCleanup(folder.cleanup)
        return folder.name

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
