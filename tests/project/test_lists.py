# SPDX-License-Identifier: MIT
"""A test that no list names stops the configuration, and so does a list or a file that is not there."""

import pathlib
import subprocess
import tempfile
import unittest

import runner

PROJECT = f"""cmake_minimum_required(VERSION 3.25)
project(lists LANGUAGES NONE)
include({runner.ROOT}/cmake/PairportTestFiles.cmake)
"""


class Lists(unittest.TestCase):
    def configure(self, lines, files=()):
        """Exit code and messages of CMake for a project with these lines and files."""
        with tempfile.TemporaryDirectory(prefix="pairport-lists-") as name:
            folder = pathlib.Path(name)
            for file in files:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).touch()
            (folder / "CMakeLists.txt").write_text(PROJECT + lines, encoding="utf-8")
            done = subprocess.run(["cmake", "-S", folder, "-B", folder / "build"], capture_output=True, text=True, timeout=60,
                                  check=False)
            return done.returncode, done.stderr

    def test_a_test_that_no_list_names_stops_the_configuration(self):
        lines = "pairport_test_file(a/test_x.py)\npairport_require_every_test(test_*.py *_test.cc)\n"
        self.assertEqual(self.configure(lines, ["a/test_x.py"]), (0, ""))
        for forgotten in ("a/test_y.py", "b/c/z_test.cc"):
            code, said = self.configure(lines, ["a/test_x.py", forgotten])
            self.assertNotEqual(code, 0)
            self.assertIn(forgotten, said)
            self.assertNotIn("test_x.py", said)

    def test_a_file_that_is_named_but_not_there_stops_it(self):
        code, said = self.configure("pairport_test_file(test_x.py)\n")
        self.assertNotEqual(code, 0)
        self.assertIn("test_x.py", said)

    def test_no_list_of_tests_or_benches_may_be_missing(self):
        for name in ("tests/CMakeLists.txt", "bench/CMakeLists.txt"):
            text = (runner.ROOT / name).read_text(encoding="utf-8")
            self.assertNotIn("OPTIONAL", text, name)
            self.assertNotIn("if(EXISTS", text, name)
            self.assertIn("pairport_require_every_test(", text, name)


if __name__ == "__main__":
    runner.run()
