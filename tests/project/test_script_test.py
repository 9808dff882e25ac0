# SPDX-License-Identifier: MIT
"""script/test: how it is called, and what it says of tests that were skipped."""

import fnmatch
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import runner

ROOT = runner.ROOT
UNITTEST = """import unittest
class Some(unittest.TestCase):
    def test_plain(self):
        self.skipTest("no yash on this machine")
    def test_again(self):
        self.skipTest("no yash on this machine")
    @unittest.skip('needs "root"')
    def test_quoted(self):
        "What it does."
    def test_passes(self):
        print("a word that is skipped 'here' is no reason, in the middle of a line")
@unittest.skip("whole class")
class Whole(unittest.TestCase):
    def test_it(self):
        pass
unittest.main(verbosity=2)
"""
# As GoogleTest 1.12 and 1.16 print it with --gtest_brief=1.
GOOGLETEST = """Running main() from ./googletest/src/gtest_main.cc
./tests/net/loop/memory_scan_test.cc:310: Skipped
a sanitizer keeps copies of what was freed
[==========] 1 test from 1 test suite ran. (0 ms total)
"""


class Progress(unittest.TestCase):
    def shown(self, lines):
        shown = subprocess.run(["sh", "-euc", f". '{ROOT}/script/lib.sh'; show_progress"], cwd=ROOT, check=True, timeout=60,
                               input="".join(line + "\n" for line in lines), capture_output=True, text=True)
        self.assertEqual(shown.stdout, "")
        return shown.stderr.splitlines()

    def test_each_tenth_part_of_a_build_is_told(self):
        # As Ninja 1.11 and 1.12 print it into a pipe.
        lines = [f"[{step}/255] Building CXX object core/CMakeFiles/pairport_core.dir/base/status.cc.o" for step in range(1, 256)]
        self.assertEqual(len(self.shown(lines)), 10)
        self.assertEqual(self.shown(lines)[-1], "compiling: step 255 of 255")
        self.assertEqual(self.shown(lines[:2]), [])

    def test_other_lines_say_nothing(self):
        self.assertEqual(self.shown(["ninja: no work to do.", "[x/3] a", "[1/] a", "[/3] a", "[1/3]", "", "a [3/3] b"]), [])


class Skipped(unittest.TestCase):
    def test_each_reason_is_listed_once_with_its_test(self):
        with tempfile.TemporaryDirectory(prefix="pairport-script-") as name:
            folder = pathlib.Path(name)
            build = folder / "build" / "release"
            build.mkdir(parents=True)
            (folder / "some.py").write_text(UNITTEST, encoding="utf-8")
            (folder / "googletest").write_text(GOOGLETEST, encoding="utf-8")
            (build / "CTestTestfile.cmake").write_text(
                f'add_test(some "{sys.executable}" "{folder}/some.py")\nadd_test(unit.scan cat "{folder}/googletest")\n', encoding="utf-8")
            subprocess.run(["ctest"], cwd=build, check=True, stdout=subprocess.DEVNULL, timeout=60)
            subprocess.run(["sh", "-euc", f". '{ROOT}/script/lib.sh'; note_skipped release"], cwd=folder, check=True, timeout=60)
            self.assertEqual((folder / "build" / "skipped.txt").read_text(encoding="utf-8").splitlines(),
                             ["release: some: no yash on this machine (2 times)", 'release: some: needs "root"',
                              "release: some: whole class", "release: unit.scan: a sanitizer keeps copies of what was freed"])
            listed = subprocess.run(["sh", "-euc", f". '{ROOT}/script/lib.sh'; list_skipped"], cwd=folder, check=True, timeout=60,
                                    capture_output=True, text=True)
            self.assertIn("== skipped, and why:\nrelease: some: no yash", listed.stderr)


class Tree(unittest.TestCase):
    def test_what_is_written_into_the_source_tree_is_found(self):
        for change, expected in (("true", None), ("echo x >build/x", None), ("echo x >new", "+?? new"), ("echo x >some.pyc", "+!! some.pyc"),
                                 ("echo x >>old", "++x"), ("rm old", "+ D old")):
            with tempfile.TemporaryDirectory(prefix="pairport-script-") as name:
                done = subprocess.run(["sh", "-euc", f"""git init -q; git config user.name x; git config user.email x@example.com
                    echo '*.pyc' >.gitignore; echo /build/ >>.gitignore; echo old >old; git add .; git commit -qm x
                    mkdir build; . '{ROOT}/script/lib.sh'; echo mine >mine; note_tree; {change}; check_tree"""],
                                      cwd=name, capture_output=True, text=True, check=False, timeout=60)
            if expected is None:
                self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), change)
            else:
                self.assertEqual(done.returncode, 1, change)
                self.assertIn("\n" + expected, done.stderr)
                self.assertIn("error: the source tree has changed", done.stderr)


class Defects(unittest.TestCase):
    def test_clang_tidy_reads_every_source_of_the_product_the_benchmarks_and_the_examples(self):
        step = re.search(r"\ncheck_defects\(\) \{\n(.*?)\n\}\n", (ROOT / "script" / "test").read_text(encoding="utf-8"), re.S)[1]
        patterns = re.findall(r"'([\w/*.]+\.cc?)'", step)
        sources = [path.relative_to(ROOT).as_posix() for folder in ("core", "render", "net", "nginx", "bench", "tests/embed")
                   for path in (ROOT / folder).rglob("*") if path.suffix in (".c", ".cc")]
        self.assertGreater(len(sources), 100, "the sources are where they are looked for")
        self.assertEqual([name for name in sources if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)], [])

    def test_files_without_options_are_noted(self):
        with tempfile.TemporaryDirectory(prefix="pairport-script-") as name:
            folder = pathlib.Path(name).resolve()
            done = subprocess.run(["sh", "-euc", f"""git init -q; mkdir -p build/release a; : >a/one.cc; : >a/two.cc; : >a/one.c; git add a
                printf '{{"file": "{folder}/a/one.cc"}}, {{"file": "{folder}/a/one.c"}}' >build/release/compile_commands.json
                . '{ROOT}/script/lib.sh'; list_compiled 'a/*.cc'"""], cwd=folder, capture_output=True, text=True, check=True, timeout=60)
            self.assertEqual(done.stdout, "a/one.cc\0")
            self.assertEqual((folder / "build/skipped.txt").read_text(encoding="utf-8"),
                             "defects: a/two.cc: the release build does not compile it\n")


class Usage(unittest.TestCase):
    def test_help_names_every_way_to_call_it(self):
        said = subprocess.run([ROOT / "script" / "test", "--help"], capture_output=True, text=True, check=True, timeout=60).stdout
        for way in ("release", "fuzz [SECONDS]", "--coverage", "long [...]", "debian13 [...]"):
            self.assertIn(f"script/test {way} ", said)
        self.assertIn("PAIRPORT_LONG=1", said)


@unittest.skipUnless(shutil.which("apt-get") and shutil.which("debootstrap"), "SKIPPED: needs apt and debootstrap")
class AnotherRelease(unittest.TestCase):
    def test_its_packages_come_from_where_this_machine_has_its_own(self):
        source = subprocess.run(["sh", "-euc", ". script/lib.sh; . script/debian.sh; package_source"], cwd=ROOT, capture_output=True,
                                text=True, check=True, timeout=60).stdout.strip()
        if not source:
            self.skipTest("SKIPPED: apt of this machine has no source for its release")
        configured = subprocess.run(["apt-get", "indextargets", "--format", "$(REPO_URI)"], capture_output=True, text=True, check=True,
                                    timeout=60).stdout
        self.assertIn(source + "/\n", configured)


if __name__ == "__main__":
    runner.run()
