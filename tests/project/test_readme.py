# SPDX-License-Identifier: MIT
"""What the README and the manual in doc/ show is what the project does: commands run, outputs are what comes, and every key, message, name
and link exists. tests/support/manual.py reads the documents and the messages of the sources."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import textwrap
import tomllib
import unittest

import manual
import runner
from certificates import make_certificate
from manual import ROOT, read
from pairport_process import Pairport, binary

DOCUMENTS = manual.documents()
MANUAL = manual.manual()
README = DOCUMENTS["README.md"]
TROUBLESHOOTING = MANUAL["doc/troubleshooting.md"]
FINGERPRINT = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
DEPOSIT = {"connect_url": "http://rport.example.com:8080", "client_id": "client1", "password": "foobaz", "fingerprint": FINGERPRINT}
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
# Where the documents have the service.
ADDRESSES = ("http://127.0.0.1:9978", "https://pairing.example.com")
# These need the internet, root, a screen or minutes, so that nothing is run; what they name has to exist.
NOT_RUN = {"git", "script/server", "script/test", "script/bench", "cmake", "apt", "install", "certbot", "chgrp", "chmod", "mkdir", "systemctl", "editor"}


def check_config(text):
    """What the program says of a configuration: exit code and stderr."""
    with tempfile.TemporaryDirectory(prefix="pairport-readme-") as folder:
        path = pathlib.Path(folder, "x.conf")
        path.write_text(text, encoding="utf-8")
        done = subprocess.run([binary(), "-c", str(path), "--check-config"], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def program_keys():
    """By table the keys of the configuration with what the program expects of each, in its own words."""
    tables = re.findall(r"expected (.*)", check_config("none = 1\n")[1])[0].replace("[", "").replace("]", "").split(", ")
    said = check_config("".join(f"[{table}]\nnone = 1\n" for table in tables))[1]
    keys = {table: names.split(", ") for table, names in re.findall(r"there is no such key; \[(.*?)\] has (.*)", said)}
    # No key takes a date.
    said = check_config("".join(f"[{table}]\n" + "".join(f"{key} = 1979-05-27\n" for key in names) for table, names in keys.items()))[1]
    return {table: {key: re.search(rf"\[{table}\] {key}: expected (.*)", said)[1] for key in names} for table, names in keys.items()}


class Documents(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        """Between documents, to files of the project, and to headings; addresses elsewhere are not asked for."""
        count = 0
        for name, text in DOCUMENTS.items():
            for link in manual.links(text):
                if link.startswith(("https://", "http://")):
                    continue
                count += 1
                path, _, anchor = link.partition("#")
                target = ((ROOT / name).parent / path).resolve() if path else ROOT / name
                self.assertTrue(target.exists(), f"{name}: {link}")
                shown = re.search(rf"\[(\S+\.\w+)\]\({re.escape(link)}\)", text)
                if shown:
                    self.assertTrue(target.as_posix().endswith("/" + shown[1].removeprefix("../")), f"{name}: {shown[0]}")
                if anchor:
                    self.assertIn(anchor, manual.anchors(target.read_text(encoding="utf-8")), f"{name}: {link}")
        self.assertGreater(count, 100)

    def test_the_readme_is_the_entrance(self):
        self.assertLessEqual(README.count("\n"), 200)
        for name in MANUAL:
            if name != "README.md":
                self.assertIn(f"]({name})", README)

    def test_a_long_document_begins_with_its_contents(self):
        for name, text in MANUAL.items():
            if name != "README.md" and text.count("\n") >= 150:
                contents = manual.links(text[:text.index("\n## ")])
                for heading in re.findall(r"(?m)^## .*$", manual.without_blocks(text)):
                    self.assertIn("#" + manual.anchors(heading)[0], contents, f"{name}: {heading}")

    def test_documents_that_sources_name_exist(self):
        named = {(path.relative_to(ROOT).as_posix(), document)
                 for folder in ("core", "render", "net", "nginx", "packaging", "script", "cmake", "bench", "tests")
                 for path in (ROOT / folder).rglob("*") if path.suffix in (".cc", ".c", ".h", ".py", ".conf", ".cmake", ".txt", ".sh", "")
                 and path.is_file() and "corpus" not in path.parts
                 for document in re.findall(r"\b(?:doc|bench)/\w+\.md", path.read_text(encoding="utf-8", errors="replace"))}
        self.assertGreater(len(named), 3)
        for name, document in named:
            self.assertTrue((ROOT / document).exists(), f"{name}: {document}")

    def test_every_path_of_the_map_exists(self):
        points = re.findall(r"^\d+\. (.*?)(?=^\d+\. |^\n)", README, re.M | re.S)
        self.assertGreater(len(points), 15)
        for point in points:
            folder = None
            for path in re.findall(r"`([^`]+)`", point):
                path = path if "/" in path or folder is None or (ROOT / path).exists() else f"{folder}/{path}"
                self.assertTrue((ROOT / path).exists(), path)
                folder = os.path.dirname(path)

    def test_names_in_the_text_exist(self):
        """Files, options, settings and identifiers: what stands between ` ` and has the form of one is in some source."""
        text = "\n".join(path.read_text(encoding="utf-8", errors="replace")
                         for folder in ("core", "render", "net", "nginx", "packaging", "script", "cmake", "bench", "tests")
                         for path in sorted((ROOT / folder).rglob("*"))
                         if path.is_file() and path.suffix not in (".md", ".svg", ".abi") and "corpus" not in path.parts and path.name != "test_readme.py")
        text += read("CMakeLists.txt") + read("CMakePresets.json")
        words = set(re.findall(r"[A-Za-z0-9_]+", text)) | {path.stem for path in (ROOT / "tests").rglob("*")}
        # The module of nginx makes its directives from the settings of the library.
        words |= {f"pairport_{name}" for name in re.findall(r'X\(\w+, \w+, "(\w+)"\)', read("render/include/pairport/pairport.h"))}
        top = {path.name for path in ROOT.iterdir()}
        count, missing = 0, []
        for name, document in MANUAL.items():
            for span in manual.code_spans(document):
                paths = [path for path in re.findall(r"(?<![\w/.<>-])[\w.-]+/[\w./*-]+", span) if path.split("/")[0] in top - {"build"}]
                # Not of other programs: options of test frameworks, variables of nginx, settings of the kernel.
                names = re.findall(r"\b(?<![$.])(?!gtest_|benchmark_)[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+\b", span)
                options = re.findall(r"(?<![\w-])--[a-z][a-z-]+", span)
                count += len(paths) + len(names) + len(options)
                missing += [(name, path) for path in paths if not list(ROOT.glob(path.rstrip("/")))]
                missing += [(name, word) for word in names if word not in words and word not in text]
                missing += [(name, option) for option in options if option not in text]
        self.assertEqual(missing, [])
        self.assertGreater(count, 300)

    def test_the_version_stands_in_the_changelog(self):
        version = re.search(r"project\(pairport VERSION ([\d.]+)", read("CMakeLists.txt"))[1]
        self.assertIn(f"## {version}", read("CHANGELOG.md"))

    def test_figures_are_those_of_the_recorded_run(self):
        results = read("bench/results/goals.md") + read("bench/results/latest.md")
        figures = [figure for row in manual.tables(README)[-1][1] for figure in re.findall(r"\d\.\d\d(?: to \d\.\d\d)?", row["measured"])]
        self.assertGreater(len(figures), 5)
        for figure in figures:
            self.assertIn(figure, results)
        names = re.findall(r'"(\w+)"', re.search(r"(?s)END_TO_END = .*?\n\n", read("bench/run.py"))[0] + read("bench/end_to_end.py"))
        for text in MANUAL.values():
            for name in re.findall(r"--only (\w+)", text):
                self.assertIn(name, names)

    def test_the_table_of_the_windows_tests_is_up_to_date(self):
        """The numbers of tests are those that there are."""
        counted = re.findall(r"`(test_\w+)` \((\d+) tests\)", MANUAL["doc/verification.md"])
        self.assertEqual(len(counted), 3)
        for name, number in counted:
            self.assertEqual(int(number), len(re.findall(r"(?m)^    def test_", read(f"tests/powershell/{name}.py"))), name)


class Configuration(unittest.TestCase):
    """doc/configuration.md, packaging/pairport.conf and the program have the same keys, values and defaults."""

    @classmethod
    def setUpClass(cls):
        cls.program = program_keys()
        cls.documented = {heading.strip("`[]"): {row["key"].strip("`"): row for row in rows}
                          for heading, rows in manual.tables(MANUAL["doc/configuration.md"])}
        cls.example = {}
        table = None
        for line in read("packaging/pairport.conf").splitlines():
            if found := re.match(r"\s*#?\[([a-z-]+)\]", line):
                table = found[1]
            elif found := re.match(r"\s*(#?)\s{0,2}([a-z0-9_]+) = (.*)", line):
                cls.example.setdefault(table, {})[found[2]] = (bool(found[1]), found[3])

    def test_every_key_is_in_the_manual_and_in_the_example(self):
        for documents in (self.documented, self.example):
            self.assertEqual({table: set(keys) for table, keys in documents.items()}, {table: set(keys) for table, keys in self.program.items()})

    def test_values_are_what_the_program_expects(self):
        for table, keys in self.program.items():
            for key, expected in keys.items():
                self.assertEqual(self.documented[table][key]["value"].replace("`", ""), expected, f"[{table}] {key}")

    def test_defaults_are_those_of_the_example(self):
        """Which are the program's: config_test and test_command_line see to it."""
        for table, keys in self.documented.items():
            for key, row in keys.items():
                is_comment, value = self.example[table][key]
                default = row["default"].strip("`")
                self.assertTrue(default == value or (is_comment and default == "none"), f"[{table}] {key}: {default}, {value}")

    def test_keys_that_documents_name_exist(self):
        for name, text in MANUAL.items():
            for span in manual.code_spans(text):
                if found := re.fullmatch(r"\[([a-z-]+)\](?: ([a-z0-9_]+))?(?: = .*)?", span):
                    self.assertIn(found[1], self.program, f"{name}: {span}")
                    if found[2]:
                        self.assertIn(found[2], self.program[found[1]], f"{name}: {span}")
                if found := re.fullmatch(r"([a-z0-9_]+) = (.*)", span):
                    self.assertTrue(any(found[1] in keys for keys in self.program.values()), f"{name}: {span}")

    def test_directives_have_the_defaults_of_their_example(self):
        example = dict(re.findall(r"(?m)^\s*#?(pairport_\w+) (.*?);", read("packaging/nginx/pairport.conf")))
        (_, rows), *_ = manual.tables(MANUAL["doc/nginx.md"])
        for row in rows:
            directive = row["directive"].strip("`").split()[0]
            if row["default"] in ("none", "required", "as the program") or directive == "pairport":
                continue
            shown = example.get(directive)
            if directive in ("pairport_use_repositories", "pairport_strict_checksums"):
                # The example switches these; their defaults are the program's.
                self.assertEqual(row["default"], "on" if self.example["installer"][directive.removeprefix("pairport_")][1] == "true" else "off")
            else:
                self.assertEqual(row["default"], shown, directive)
        self.assertGreater(len(rows), 25)

    def test_examples_are_valid(self):
        with tempfile.TemporaryDirectory(prefix="pairport-readme-") as folder:
            certificate, key = make_certificate(folder)
            for name, _, text in manual.blocks("toml"):
                if "pairing_url" in text:
                    self.assertEqual(tomllib.loads(text)["server"]["pairing_url"], ADDRESSES[1])  # rportd's
                    continue
                text = re.sub(r'"[^"]*fullchain.pem"', f'"{certificate}"', re.sub(r'"[^"]*privkey.pem"', f'"{key}"', text))
                text = re.sub(r'"/var/(www/letsencrypt|lib/pairport/packages)"', f'"{folder}"', text)
                code, said = check_config(text)
                self.assertEqual((code, said.count("\n")), (0, 1), f"{name}: {said}")


class Messages(unittest.TestCase):
    """doc/troubleshooting.md has every message that asks a person to do something, and no document quotes one that nothing says."""

    def check_listed(self, messages, least):
        count = 0
        for name, message in messages:
            message = message.strip()
            if re.search(r"[a-z]{3}", message.replace(manual.VARIES, "")):
                count += 1
                self.assertTrue(message in TROUBLESHOOTING or message.strip(" …") in TROUBLESHOOTING,
                                f"{name} says: {message}\ndoc/troubleshooting.md lacks it; write … for what varies")
        self.assertGreater(count, least)

    def test_every_message_of_the_program_and_of_the_module_is_listed(self):
        self.check_listed(manual.cpp_messages(), 75)

    def test_every_message_of_the_linux_scripts_is_listed(self):
        self.check_listed(manual.sh_messages(), 45)

    def test_every_message_of_the_windows_scripts_is_listed(self):
        self.check_listed(manual.ps_messages(), 40)

    def test_every_message_that_is_listed_is_said(self):
        said = manual.all_text()
        count = 0
        for heading, rows in manual.tables(TROUBLESHOOTING):
            for row in rows:
                messages = manual.code_spans(row.get("message") or row["reason"])
                self.assertTrue(messages, row)
                for message in messages:
                    count += 1
                    self.assertTrue(manual.is_said(message, said), f"{heading}: nothing says: {message}")
        self.assertGreater(count, 180)
        self.assertFalse(manual.is_said("deposits are refused because of the weather", said))

    def test_what_is_quoted_in_the_text_is_said(self):
        """What stands between ` ` and has several words is a command, a request, a setting, or else the text of some source."""
        known = re.compile(r"(GET|POST) /|\[[a-z-]+\] [a-z0-9_]+|[a-z0-9_]+ = |pairport_\w+ |location |[A-Z][A-Za-z-]+: |[\"#$-]"
                           r"|(script/|build/)?(pairport|cmake|pkg-config|curl|docker|ssh|gzip|systemctl|nginx|apt-get|zypper|Get-Help|server|test|bench"
                           r"|release/\S+) ")
        said = manual.all_text()
        for name, text in MANUAL.items():
            for span in manual.code_spans(text):
                if " " in span and not known.match(span) and name != "doc/troubleshooting.md":
                    # Short ones are rather names than sentences: their words count.
                    words = span.split()
                    self.assertTrue(all(word in said for word in words) if len(words) < 4 else manual.is_said(span, said), f"{name}: {span}")

    def test_lines_of_the_log_are_said(self):
        said = manual.all_text()
        for name, language, text in manual.blocks():
            for line in text.splitlines():
                found = re.fullmatch(r"20\S+Z (?:info|warning|error): (.*)", line)
                if language == "log" and not found:
                    self.assertRegex(line, r"^20\S+Z access: ", name)
                # What a command of the manual prints is compared with what it prints; the start in the README is script/server's.
                if not found or (language == "console" and name != "README.md"):
                    continue
                # Without numbers, paths and addresses: what is left stands in a source word for word.
                fixed = re.sub(r"\S*/\S*|[\d.]+", manual.VARIES, found[1])
                phrases = [phrase.strip() for phrase in re.split(r"[…:;,()=]| or ", fixed)]
                self.assertTrue(phrases, line)
                for phrase in phrases:
                    self.assertTrue(phrase in said, f"{name}: {line}: nothing says: {phrase}")


class Commands(unittest.TestCase):
    """Blocks of commands run against one service. Nothing else than `console` and `sh` is a command."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.service = cls.stack.enter_context(Pairport())
        cls.code = cls.service.deposit(**DEPOSIT)["pairing_code"]
        cls.scripts = {name: cls.service.get(path)[2] for name, path in (("installer", "/" + cls.code), ("update", "/update"),
                                                                         ("uninstall", "/uninstall"))}

    def folder(self):
        """A folder as the commands find it: the scripts, a configuration, and a `pairport` on the path."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="pairport-readme-"))
        self.addCleanup(shutil.rmtree, folder)
        for name, text in self.scripts.items():
            (folder / f"rport-{name}.sh").write_bytes(text)
        shutil.copy(ROOT / "packaging" / "pairport.conf", folder / "rport-pairing.conf")
        (folder / "bin").mkdir()
        (folder / "bin" / "pairport").symlink_to(os.path.abspath(binary()))
        return folder

    def run_shell(self, text, folder):
        for address in ADDRESSES:
            text = text.replace(address, self.service.url)
        environment = {**os.environ, "HOME": str(folder), "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        return subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=60, cwd=folder, env=environment, check=False)

    @staticmethod
    def steps(text):
        """(prompt, command, output) of a session."""
        found = re.split(r"(?m)^([#$]) (?!values:|made |The credentials)", text)
        return [(prompt, *rest.split("\n", 1)) for prompt, rest in zip(found[1::2], found[2::2], strict=True)]

    def test_every_block_has_a_language_that_is_checked(self):
        known = {"console", "sh", "toml", "nginx", "c", "cpp", "cmake", "log", "json", "text", "ini", "powershell"}
        for name, language, text in manual.blocks():
            self.assertIn(language, known, f"{name}: {text[:60]}")

    def test_sessions_show_what_comes(self):
        ran = 0
        for name, _, text in manual.blocks("console"):
            folder = self.folder()
            for prompt, command, shown in self.steps(text):
                if prompt == "#" or command.split()[0] in NOT_RUN:
                    self.check_names(name, command)
                    continue
                ran += 1
                done = self.run_shell("exec 2>&1\n" + command, folder)
                real = done.stdout
                self.assertEqual(done.returncode == 0, " error: " not in shown, f"{name}: {command}: {real}")
                if command == "pairport --help":
                    # The packaged versions of the option parser differ in white space and in how they show the program's name.
                    self.assertEqual(set(shown.split()) - {"pairport"} - set(real.split()), set())
                elif shown:
                    self.assertEqual(TIME.sub("TIME", shown), TIME.sub("TIME", real), f"{name}: {command}")
        self.assertGreater(ran, 8)

    def check_names(self, name, line):
        """What a command that is not run here names: programs, files, presets, targets, options."""
        for command in re.sub(r"\s+# .*", "", line).split(" && "):
            words = shlex.split(command)
            self.assertTrue(words[0] in NOT_RUN or words[0] in ("pairport", "cd"), f"{name}: {line}")
            for word in words:
                if word.startswith(("packaging/", "script/")):
                    self.assertTrue((ROOT / word).exists(), f"{name}: {word}")
            if words[0] in ("pairport", "script/server"):
                said = subprocess.run([binary(), "--help"], capture_output=True, text=True, timeout=60, check=True).stdout
                for option in words[1:]:
                    self.assertIn(option, said, f"{name}: {line}")
            if words[0] == "cmake":
                presets = {preset["name"] for preset in json.loads(read("CMakePresets.json"))["configurePresets"]}
                for option, value in zip(words, words[1:]):
                    if option == "--preset":
                        self.assertIn(value, presets)
                    if option == "--target":
                        self.assertTrue(any(re.search(rf"\b{value}\b", path.read_text(encoding="utf-8"))
                                            for path in (*ROOT.glob("*/CMakeLists.txt"), *ROOT.glob("cmake/*.cmake"))), value)
            if words[0] == "systemctl":
                self.assertTrue((ROOT / "packaging" / f"{words[-1]}.service").exists(), f"{name}: {line}")

    def test_commands_do_what_is_typed(self):
        ran = 0
        for name, _, text in manual.blocks("sh"):
            done = self.run_shell(text, self.folder())
            self.assertEqual((done.returncode, done.stderr), (0, ""), f"{name}: {text}")
            code = re.search(r'"pairing_code":"([^"]+)"|^(\w+)\n$', done.stdout)
            code = code[1] or code[2]
            self.assertIn(b"PASSWORD='a;b'\n", self.service.get("/" + code)[2])
            ran += 1
        self.assertGreaterEqual(ran, 2)

    def test_requests_are_answered(self):
        asked = []
        for row in manual.tables(MANUAL["doc/http.md"])[0][1]:
            for method, path in re.findall(r"`(GET) (\S+)`", row["request"]):
                if path.startswith(("/packages/", "/.well-known/")):
                    self.assertEqual(self.service.get(path.replace("<file>", "x").replace("<token>", "x"))[0], 404)  # not configured
                    continue
                asked.append(path)
                for method_of_all in (method, "HEAD"):
                    self.assertEqual(self.service.request(method_of_all, path.replace("<code>", self.code))[0], 200, path)
        self.assertGreater(len(asked), 6)
        self.assertEqual(self.service.request("OPTIONS", "/anything")[0], 204)
        self.assertEqual(self.service.request("PUT", "/update")[0], 405)
        answer = self.service.deposit(**DEPOSIT)
        (_, members), (_, commands), *_ = manual.tables(MANUAL["doc/http.md"])[1:]
        self.assertEqual({row["member"].strip("`") for row in members}, set(answer))
        self.assertEqual({row["`installers`"].strip("`") for row in commands}, set(answer["installers"]))

    def test_the_values_of_the_installer_are_the_real_ones(self):
        shown = re.search(r"# values: begin\n.*?# values: end\n", self.scripts["installer"].decode(), re.S)[0]
        (_, _, text), = manual.blocks("text")
        self.assertIn(TIME.sub("TIME", shown), TIME.sub("TIME", text))
        self.assertRegex(text.split("\n")[0], r"^[A-Za-z1-9]{10}$")

    def test_the_first_steps_of_script_server_deposit_what_is_typed(self):
        printed = re.search(r"^  cat <<END\n(.*?)^END\n", read("script/server"), re.S | re.M)[1]
        lines = subprocess.run(["sh", "-c", f"cat <<END\n{printed}END"], capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
        for line in lines[:3]:
            self.assertIn(line + "\n", README)
        # A password that means something to curl's -F, and none that means something to the shell that it is typed into.
        self.assertIn("password=foobaz ", lines[1])
        for password in ("a;b", "@/etc/passwd", "<x", 'a";type=text/html'):
            done = self.run_shell("\n".join(lines[1:3]).replace("password=foobaz ", f"'password={password}' "), self.folder())
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"PASSWORD='{password}'\n", done.stdout)

    def test_lines_of_the_access_log_have_the_real_form(self):
        def shape(line):
            # The hash first: one without letters would be a number.
            for form, name in ((TIME, "TIME"), (r"\bcode [0-9a-f]{8}$", "code HASH"), (r"\d+\.\d+\.\d+\.\d+", "ADDRESS"), (r"\b\d+\b", "N")):
                line = re.sub(form, name, line)
            return line

        shape_of_json = lambda line: {key: type(value) for key, value in json.loads(line).items()}
        shown = [line for name, _, text in manual.blocks("log") for line in text.splitlines() if " access: " in line]
        self.assertEqual(len(shown), 2)
        logs = {}
        for form in ("text", "json"):
            with Pairport(config=f'[log]\n  access = "{form}"\n') as service:
                service.get("/" + service.deposit(**DEPOSIT)["pairing_code"])
                service.stop()
                logs[form] = service.log.decode().splitlines()
        for line in shown:
            self.assertIn(shape(line), [shape(real) for real in logs["text"]])
        (_, _, document), = manual.blocks("json")
        self.assertIn(shape_of_json(document), [shape_of_json(line) for line in logs["json"] if line.startswith("{")])
        self.assertLess(datetime.datetime.fromisoformat(json.loads(document)["time"]).year, 2100)


class Embedding(unittest.TestCase):
    def test_the_example_is_the_one_that_is_compiled(self):
        example = textwrap.dedent(read("tests/embed/readme_example.cc").split("// README: begin\n")[1].split("  // README: end\n")[0])
        self.assertIn("```cpp\n" + example + "```\n", README)
        example = textwrap.dedent(read("tests/embed/share_port.cc").split("// doc/embedding.md: begin\n")[1].split("  // doc/embedding.md: end\n")[0])
        self.assertIn("```cpp\n" + example + "```\n", read("doc/embedding.md"))
        for name in ("later.c", "verbs.c"):
            example = read(f"tests/embed/{name}").split("/* doc/embedding.md: begin */\n")[1].split("/* doc/embedding.md: end */\n")[0]
            self.assertIn("```c\n" + example + "```\n", read("doc/embedding.md"), name)

    def test_components_and_targets_exist(self):
        version = re.search(r"project\(pairport VERSION (\d+\.\d+)", read("CMakeLists.txt"))[1]
        layers = re.search(r"set\(pairport_layers (.*)\)", read("cmake/PairportInstall.cmake"))[1].split()
        (_, _, text), = manual.blocks("cmake")
        self.assertIn(f"find_package(pairport {version} CONFIG", text)
        self.assertIn(re.search(r"COMPONENTS (\w+)", text)[1], layers)
        for document in MANUAL.values():
            for layer in re.findall(r"`pairport::([a-z]+)`", document) + re.findall(r"--libs pairport-(\w+)", document):
                self.assertIn(layer, layers)

    def test_lines_for_the_unit_are_known_to_it(self):
        unit = read("packaging/pairport.service")
        for _, _, text in manual.blocks("ini"):
            for line in text.splitlines():
                self.assertRegex(unit, rf"(?m)^#?{re.escape(line)}$")

    def test_the_other_blocks(self):
        for _, _, text in manual.blocks("powershell"):
            self.assertIn("rport-installer.ps1", text)
        self.assertEqual([name for name, _, _ in manual.blocks("nginx")], ["doc/nginx.md"])  # test_nginx gives it to nginx


if __name__ == "__main__":
    runner.run()
