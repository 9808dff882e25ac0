# SPDX-License-Identifier: MIT
"""What the README and the manual in doc/ show is what the project does."""

import pathlib
import re
import subprocess
import tempfile
import textwrap
import unittest

import runner
from pairport_process import Pairport, binary

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
             for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "doc").glob("*.md")), 
                          *(path for folder in ("bench", "render", "tests") for path in sorted((ROOT / folder).rglob("*.md"))))}
README = DOCUMENTS["README.md"]
MANUAL = "\n".join(text for name, text in DOCUMENTS.items() if name == "README.md" or name.startswith("doc/"))


def without_code(text):
    return re.sub(r"(?ms)^```.*?^```$", "", text)


def anchors(text):
    """Of the headings, as GitHub and GitLab make them."""
    found = []
    for heading in re.findall(r"(?m)^#+ (.*)$", without_code(text)):
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.append(anchor if anchor not in found else f"{anchor}-{found.count(anchor)}")
    return found


class Readme(unittest.TestCase):
    def test_the_embedding_example_is_the_one_that_is_compiled(self):
        source = (ROOT / "tests" / "readme_example.cc").read_text(encoding="utf-8")
        example = textwrap.dedent(source.split("// README: begin\n")[1].split("  // README: end\n")[0])
        self.assertIn("```cpp\n" + example + "```\n", README)

    def test_help_is_the_real_output(self):
        shown = re.search(r"```\n\$ pairport --help\n(.*?)```\n", MANUAL, re.S).group(1)
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
        self.assertIn(without_times(shown) + "```\n", without_times(MANUAL))

    def test_the_help_of_the_linux_scripts_is_the_real_output(self):
        with Pairport() as service:
            code = service.deposit(connect_url="http://rport.example.com", fingerprint=":".join(["2a"] * 16), client_id="id",
                                   password="x")["pairing_code"]
            for name, path in (("installer", "/" + code), ("update", "/update"), ("uninstall", "/uninstall")):
                script = service.get(path)[2]
                real = subprocess.run(["sh", "-s", "--", "-h"], input=script, capture_output=True, timeout=60)
                self.assertEqual(real.returncode, 0, real.stderr)
                self.assertIn(f"$ sh rport-{name}.sh -h\n{real.stdout.decode()}```\n", MANUAL)

    def test_the_table_of_the_windows_tests_is_up_to_date(self):
        """The numbers of tests are those that there are."""
        folder = ROOT / "tests" / "powershell"
        table = re.search(r"\n(\| what \| PowerShell 7\.6 engine.*?\n)(?!\|)", MANUAL, re.S)[1]
        counted = re.findall(r"`(test_\w+)` \((\d+) tests\)", table)
        self.assertEqual(len(counted), 3)
        for name, number in counted:
            self.assertEqual(int(number), len(re.findall(r"(?m)^    def test_", (folder / f"{name}.py").read_text(encoding="utf-8"))), name)

    def test_the_first_steps_of_script_server_deposit_what_is_typed(self):
        printed = re.search(r"^  cat <<END\n(.*?)^END\n", (ROOT / "script" / "server").read_text(encoding="utf-8"), re.S | re.M).group(1)
        lines = subprocess.run(["sh", "-c", f"cat <<END\n{printed}END"], capture_output=True, text=True, timeout=60).stdout.splitlines()
        for line in lines[:3]:
            self.assertIn(line + "\n", MANUAL)
        # A password that means something to curl's -F, and none that means something to the shell that it is typed into.
        self.assertIn("password=foobaz ", lines[1])
        with Pairport() as service:
            for password in ("a;b", "@/etc/passwd", "<x", 'a";type=text/html'):
                steps = "\n".join(lines[1:3]).replace("password=foobaz ", f"'password={password}' ").replace("127.0.0.1:9978", f"127.0.0.1:{service.port}")
                done = subprocess.run(["sh", "-c", steps], capture_output=True, text=True, timeout=60, cwd=self.folder())
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(f"PASSWORD='{password}'\n", done.stdout)

    def test_json_on_standard_input_deposits_what_is_typed(self):
        command = re.search(r"^\$ (curl [^\n]*<<'END'\n.*?^END\n)", MANUAL, re.S | re.M).group(1)
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

    def test_every_link_leads_somewhere(self):
        """Between documents, to files of the project, and to headings; addresses elsewhere are not asked for."""
        links = 0
        for name, text in DOCUMENTS.items():
            for link in re.findall(r"\]\(([^)\s]+)\)", without_code(text)):
                if link.startswith(("https://", "http://")):
                    continue
                links += 1
                path, _, anchor = link.partition("#")
                target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
                self.assertTrue(target.exists(), f"{name}: {link}")
                if anchor:
                    self.assertIn(anchor, anchors(target.read_text(encoding="utf-8")), f"{name}: {link}")
        self.assertGreater(links, 40)

    def test_the_contents_name_every_document(self):
        for name in DOCUMENTS:
            if name.startswith("doc/"):
                self.assertIn(f"]({name})", README)
        self.assertLessEqual(README.count("\n"), 200)

    def test_the_version_stands_in_the_changelog(self):
        version = re.search(r"project\(pairport VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")).group(1)
        self.assertIn(f"## {version}", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))

    def test_every_key_of_the_configuration_is_named(self):
        for key in re.findall(r"^\s*#?\s*([a-z0-9_]+) = ", (ROOT / "packaging" / "pairport.conf").read_text(encoding="utf-8"), re.M):
            self.assertIn(f"`{key}`", MANUAL, key)


if __name__ == "__main__":
    runner.run()
