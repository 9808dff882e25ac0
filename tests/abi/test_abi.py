# SPDX-License-Identifier: MIT
"""The shared libraries export what tests/abi says, and the C interface has the types and numbers that it says.

  symbols.txt      what each library exports; C++ names as they are mangled
  constants.txt    every number that the C headers name
  c_interface.abi  the types of every function of the C interface, as libabigail describes them

The types are read from a probe in C that refers to each exported function, so that they depend on no C++ compiler and
no version of a library. `test_abi.py --write` (target abi_baseline) makes all three anew."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import runner

ROOT = runner.ROOT
BUILD = pathlib.Path(os.environ.get("PAIRPORT_BUILD", ROOT / "build" / "release"))
BASELINE = ROOT / "tests" / "abi"
LAYERS = ["core", "service", "http", "uv"]
HEADERS = [ROOT / "render/include/pairport/pairport.h", ROOT / "render/include/pairport/pairport_deposits.h",
           ROOT / "net/include/pairport/pairport_http.h",
           ROOT / "net/include/pairport/pairport_uv.h"]
INCLUDES = [f"-I{ROOT / layer / 'include'}" for layer in ("core", "render", "net")] + [f"-I{BUILD / 'core' / 'include'}"]

ADVICE = """
The interface of the installed libraries has changed. If that is meant:
- something was added (a function, a constant, a member at the end of a structure that begins with its size): programs
  that are compiled already still work. Run: cmake --build --preset release --target abi_baseline
  on Debian 12, commit tests/abi with the change, and say so in CHANGELOG.md.
- anything else breaks programs: a constant or an error code is never renumbered, a member never moved, and a function
  goes or changes only with a new SOVERSION (a minor version before 1.0, else a major one; CMakeLists.txt). Then the same.
"""


def run(*command, accept=(0,), **options):
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=300, check=False, **options)
    if result.returncode not in accept:
        raise AssertionError(f"{command}: exit code {result.returncode}\n{result.stdout}")
    return result.stdout


def exported(layer):
    """What a library defines itself. Weak symbols are copies that every compiler makes as it likes."""
    lines = run("nm", "--dynamic", "--defined-only", "--format=posix", BUILD / "lib" / f"libpairport_{layer}.so").splitlines()
    return sorted(line.split()[0] for line in lines if line.split()[1] in "TBDR")


def symbols():
    return "".join(f"{layer} {name}\n" for layer in LAYERS for name in exported(layer))


def constants(folder):
    text = "".join(header.read_text(encoding="utf-8") for header in HEADERS)
    names = re.findall(r"\b(PAIRPORT_\w+) =\s+-?\d", text) + re.findall(r"^#define (PAIRPORT_\w+) \d+$", text, re.M)
    lines = "".join(f'  printf("%s %d\\n", "{name}", {name});\n' for name in names)
    source = folder / "constants.c"
    source.write_text("#include <stdio.h>\n" + "".join(f"#include <pairport/{header.name}>\n" for header in HEADERS) +
                      f"int main(void) {{\n{lines}  return 0;\n}}\n", encoding="utf-8")
    run("cc", "-std=c11", *INCLUDES, source, "-o", folder / "constants")
    return run(folder / "constants")


def interface(folder):
    """The description of the C interface. A function that is exported without being declared stops the compiler."""
    functions = [name for layer in LAYERS for name in exported(layer) if name.startswith("pairport_")]
    source = folder / "c_interface.c"
    source.write_text("".join(f"#include <pairport/{header.name}>\n" for header in HEADERS) +
                      "".join(f"__typeof__({name})* abi_{name} = {name};\n" for name in functions), encoding="utf-8")
    library = folder / "c_interface.so"
    run("cc", "-std=gnu11", "-g", "-fPIC", "-shared", *INCLUDES, source.name, "-o", library, cwd=folder)
    description = folder / "c_interface.abi"
    run("abidw", "--no-corpus-path", "--no-show-locs", "--no-comp-dir-path", "--no-elf-needed", "--drop-undefined-syms",
        "--type-id-style", "hash", "--out-file", description, library)
    return description


class Abi(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pairport-abi-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def assert_same(self, name, now):
        before = set((BASELINE / name).read_text(encoding="utf-8").splitlines())
        changes = [f"- {line}" for line in sorted(before - set(now.splitlines()))]
        changes += [f"+ {line}" for line in sorted(set(now.splitlines()) - before)]
        if changes:
            self.fail(f"{name}:\n" + run("c++filt", input="\n".join(changes)) + "\n" + ADVICE)

    def test_the_libraries_export_what_they_did(self):
        self.assert_same("symbols.txt", symbols())

    def test_nothing_but_ours_is_exported(self):
        for layer in LAYERS:
            for name in exported(layer):
                self.assertRegex(name, r"^(pairport_|_ZN?K?N?8pairport)", f"of {layer}")

    def test_numbers_are_what_they_were(self):
        self.assert_same("constants.txt", constants(self.folder))

    def test_the_types_of_the_c_interface_are_what_they_were(self):
        result = subprocess.run(["abidiff", BASELINE / "c_interface.abi", interface(self.folder)], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        # 0 also when all changes are harmless, such as another name of the same integer type.
        if result.returncode != 0:
            self.fail(result.stdout + ADVICE)

    def test_a_change_of_a_type_is_seen(self):
        text = (BASELINE / "c_interface.abi").read_text(encoding="utf-8")
        changed = self.folder / "before.abi"
        changed.write_text(re.sub(r"(class-decl name='pairport_now' size-in-bits=')128", r"\g<1>64", text), encoding="utf-8")
        self.assertNotEqual(changed.read_text(encoding="utf-8"), text)
        report = run("abidiff", changed, interface(self.folder), accept=range(4, 16))
        self.assertIn("pairport_now", report)


def write():
    with tempfile.TemporaryDirectory(prefix="pairport-abi-") as folder:
        (BASELINE / "symbols.txt").write_text(symbols(), encoding="utf-8")
        (BASELINE / "constants.txt").write_text(constants(pathlib.Path(folder)), encoding="utf-8")
        (BASELINE / "c_interface.abi").write_bytes(interface(pathlib.Path(folder)).read_bytes())


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        runner.run()
