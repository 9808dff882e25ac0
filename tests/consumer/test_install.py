# SPDX-License-Identifier: MIT
"""The installed package, as somebody else's project uses it: in C and C++, found by CMake and by pkg-config, static and
shared. It is moved after its installation, so that nothing may remember where it was."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import unittest

import runner

ROOT = runner.ROOT
BUILD = pathlib.Path(os.environ.get("PAIRPORT_BUILD", ROOT / "build" / "release"))
CONSUMER = ROOT / "tests" / "consumer"
EMBED = ROOT / "tests" / "embed"
LAYERS = ["core", "service", "http", "uv"]
VERSION = re.search(r"project\(pairport VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")).group(1)


def run(*command, **options):
    """Standard output and error of a command that succeeds."""
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=800, check=False, **options)
    if result.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}: exit code {result.returncode}\n{result.stdout}")
    return result.stdout


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="pairport-install-")
        cls.addClassCleanup(cls.folder.cleanup)
        first = pathlib.Path(cls.folder.name) / "first"
        run("cmake", "--install", BUILD, "--prefix", first)
        cls.unit = (first / "lib" / "systemd" / "system" / "pairport.service").read_text(encoding="utf-8")
        cls.first = first
        cls.prefix = first.rename(pathlib.Path(cls.folder.name) / "moved")
        cls.lib = next(cls.prefix.rglob("libpairport_core.a")).parent

    def build(self, source, *settings):
        """Configures and builds a project against the package; returns its folder and what CMake said."""
        folder = tempfile.mkdtemp(dir=self.folder.name)
        said = run("cmake", "-G", "Ninja", "-S", source, "-B", folder, f"-DCMAKE_PREFIX_PATH={self.prefix}", *settings)
        said += run("cmake", "--build", folder, "--parallel", "2")
        return pathlib.Path(folder), said

    def assert_answers(self, program, environment=None):
        output = run(program, env=environment)
        self.assertEqual(output.count("HTTP/1.1 200 OK\r\n") or output.count("HTTP/1.1 200 OK\n"), 2, output)
        self.assertIn("'foobaz'", output)

    def assert_attaches(self, program, environment=None):
        self.assertRegex(run(program, env=environment), r"pairing answered 2 times, .*the loop is closed")

    def assert_serves(self, program):
        with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as server:
            try:
                url = server.stdout.readline().split()[-1]
                self.assertIn("#!/bin/sh", run("curl", "-fsS", "--max-time", "60", url + "/update"))
            finally:
                server.send_signal(signal.SIGTERM)

    def linked(self, program):
        return sorted(re.findall(r"NEEDED.*\[libpairport_(\w+)\.so", run("readelf", "-d", program)))

    def test_found_by_cmake_static(self):
        folder, said = self.build(CONSUMER, "-DCONSUMER_LINKAGE=static")
        count = int(re.search(r"headers: (\d+)", said).group(1))
        self.assertEqual(count, len(list((self.prefix / "include" / "pairport").glob("*.h"))) + 6, "six are for C, too")
        self.assert_answers(folder / "answer")
        self.assert_attaches(folder / "attach")
        self.assertRegex(run(folder / "attach_c"), "the loop is closed")
        self.assertRegex(run(folder / "later"), "replies came out of order")
        self.assert_serves(folder / "poll_c")
        self.assert_serves(folder / "poll")
        self.assertEqual(self.linked(folder / "attach"), [])

    def test_found_by_cmake_shared(self):
        folder, _ = self.build(CONSUMER, "-DCONSUMER_LINKAGE=shared")
        self.assert_answers(folder / "answer")
        self.assert_attaches(folder / "attach")
        self.assertRegex(run(folder / "attach_c"), "the loop is closed")
        self.assertRegex(run(folder / "later"), "replies came out of order")
        self.assert_serves(folder / "poll_c")
        self.assert_serves(folder / "poll")
        self.assertIn("uv", self.linked(folder / "attach"))

    def test_found_by_cmake_in_a_project_without_cxx(self):
        for linkage in ("static", "shared"):
            folder, said = self.build(CONSUMER, f"-DCONSUMER_LINKAGE={linkage}", "-DCONSUMER_LANGUAGES=C")
            self.assertIn("headers: 6\n", said)
            self.assert_answers(folder / "answer")
            self.assertRegex(run(folder / "attach_c"), "the loop is closed")
            self.assertRegex(run(folder / "later"), "replies came out of order")
            self.assert_serves(folder / "poll_c")

    def found(self, components, version="", *settings):
        said = self.build(CONSUMER / "components", f"-DCOMPONENTS={components}", f"-DVERSION={version}", *settings)[1]
        return re.search(r"found: (.*)", said).group(1).rstrip(), said

    def test_components(self):
        static = [f"{layer}:STATIC_LIBRARY" for layer in LAYERS]
        self.assertEqual(self.found("")[0], "1 " + ";".join(static))
        self.assertEqual(self.found("shared")[0], "1 " + ";".join(static).replace("STATIC", "SHARED"))
        self.assertEqual(self.found("", "", "-DBUILD_SHARED_LIBS=ON")[0], "1 " + ";".join(static).replace("STATIC", "SHARED"))
        self.assertEqual(self.found("static", "", "-DBUILD_SHARED_LIBS=ON")[0], "1 " + ";".join(static))
        found, said = self.found("service")
        self.assertEqual(found, "1 " + ";".join(static[:2]))
        self.assertIn("libuv: \n", said, "who does not use the loop need not have it")

    def test_what_is_not_there_is_said(self):
        for components, version, reason in (("static;shared", "", "exclude each other"), ("tls", "", "no component tls"),
                                            ("", "99", f"version: {VERSION}")):
            found, said = self.found(components, version)
            self.assertTrue(found.startswith("0"), found)
            self.assertIn(reason, said)
        major, minor, _ = VERSION.split(".")
        self.assertTrue(self.found("", f"{major}.{minor}")[0].startswith("1"))

    def pkg_config(self, *words):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(next(self.prefix.rglob("pkgconfig")))}
        return shlex.split(run("pkg-config", *words, env=environment))

    def compile(self, compiler, source, flags):
        program = pathlib.Path(self.folder.name) / (source.name + ".bin")
        standard = ["-std=c++20"] if source.suffix == ".cc" else ["-std=c11", "-D_POSIX_C_SOURCE=200809L"]
        run(compiler, *standard, source, "-o", program, *flags)
        return program

    def test_found_by_pkg_config_shared(self):
        environment = {**os.environ, "LD_LIBRARY_PATH": str(self.lib)}
        for source, package, check in ((EMBED / "answer.c", "pairport-service", self.assert_answers),
                                       (EMBED / "attach.cc", "pairport-uv", self.assert_attaches)):
            flags = self.pkg_config("--cflags", "--libs", package)
            program = self.compile("c++" if source.suffix == ".cc" else "cc", source, flags)
            self.assertIn(package.split("-")[1], self.linked(program))
            check(program, environment)

    def test_found_by_pkg_config_static(self):
        for source, package, check in ((EMBED / "answer.c", "pairport-service", self.assert_answers),
                                       (EMBED / "attach.cc", "pairport-uv", self.assert_attaches)):
            flags = self.pkg_config("--static", "--cflags", "--libs", package)
            # Where both are installed, the linker takes the shared one unless it is told the file.
            flags = [re.sub(r"^-l(pairport_\w+)$", r"-l:lib\1.a", flag) for flag in flags]
            program = self.compile("c++" if source.suffix == ".cc" else "cc", source, flags)
            self.assertEqual(self.linked(program), [])
            check(program)

    def test_as_a_folder_of_another_project(self):
        folder, said = self.build(CONSUMER / "subdirectory", f"-DPAIRPORT_SOURCE={ROOT}")
        targets = set(re.search(r"targets: (.*)", said).group(1).split(";"))
        libraries = {f"pairport_{layer}" for layer in LAYERS}
        self.assertEqual(targets - {"pairport_llhttp"}, libraries, "no program, no tests, no benchmarks")
        self.assertNotIn("warning", said)
        self.assertEqual(run(folder / "parent"), "success\n")
        self.assertFalse((folder / "pairport" / "cmake_install.cmake").read_text(encoding="utf-8").count("libpairport"))

    def test_the_program_and_what_belongs_to_it(self):
        program = self.prefix / "bin" / "pairport"
        self.assertIn(f"pairport {VERSION} ", run(program, "-v"))
        documents = self.prefix / "share" / "doc" / "pairport"
        run(program, "-c", documents / "examples" / "pairport.conf", "--check-config")
        manual = [path.relative_to(ROOT) for path in (ROOT / "doc").glob("*.md")]
        self.assertGreater(len(manual), 8)
        for name in ("README.md", "CHANGELOG.md", "LICENSE", "bench/results/latest.svg", *manual):
            self.assertTrue((documents / name).is_file(), name)
        # The unit is the only file that has to name a place.
        self.assertIn(f"ExecStart={self.first}/bin/pairport\n", self.unit)

    def test_the_version_is_the_same_everywhere(self):
        self.assertIn(f'#define PAIRPORT_VERSION "{VERSION}"', (self.prefix / "include/pairport/version.h").read_text(encoding="utf-8"))
        major, minor, _ = VERSION.split(".")
        soversion = f"0.{minor}" if major == "0" else major
        for layer in LAYERS:
            self.assertEqual(self.pkg_config("--modversion", f"pairport-{layer}"), [VERSION])
            library = self.lib / f"libpairport_{layer}.so"
            self.assertEqual(os.readlink(library), f"libpairport_{layer}.so.{soversion}")
            self.assertIn(f"[libpairport_{layer}.so.{soversion}]", run("readelf", "-d", library))
            self.assertTrue((self.lib / f"libpairport_{layer}.so.{VERSION}").is_file())

    def test_script_server_builds_what_an_installation_copies(self):
        target = re.search(r"--target (\w+)", (ROOT / "script" / "server").read_text(encoding="utf-8")).group(1)
        built = {os.path.normpath(BUILD / line.strip()) for line in run("ninja", "-C", BUILD, "-t", "query", target).splitlines()}
        rules = (BUILD / "cmake_install.cmake").read_text(encoding="utf-8")
        copied = set()
        for files in re.findall(r"TYPE (?:STATIC_LIBRARY|SHARED_LIBRARY|EXECUTABLE) FILES((?:\s+\"[^\"]+\")+)", rules):
            copied |= set(re.findall(r'"([^"]+)"', files))
        self.assertGreaterEqual(len(copied), 2 * len(LAYERS) + 1)
        # A library with its versions is built as one.
        self.assertEqual({re.sub(r"(\.so)[.\d]+$", r"\1", path) for path in copied} - built, set())

    def test_nothing_remembers_where_it_was_built_or_installed(self):
        for path in [*self.lib.rglob("*.cmake"), *self.lib.rglob("*.pc")]:
            text = path.read_text(encoding="utf-8")
            self.assertNotIn(str(ROOT), text, path)
            self.assertNotIn(str(self.first), text, path)


def copy_of_the_sources(folder):
    for name in run("git", "-C", ROOT, "ls-files").splitlines():
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class AnotherFolder(unittest.TestCase):
    """A copy of the sources elsewhere, configured as this build but with what a distribution's package sets."""

    LIBDIR = "/usr/lib/of-this-processor"

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="pairport-elsewhere-")
        cls.addClassCleanup(folder.cleanup)
        cls.sources = pathlib.Path(folder.name) / "sources"
        cls.build = cls.sources / "out"
        copy_of_the_sources(cls.sources)
        cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
        same = [f"-D{name}={value}" for name, value in re.findall(
            r"^(CMAKE_BUILD_TYPE|CMAKE_C(?:XX)?_(?:COMPILER|FLAGS)):\w+=(.*)", cache, re.M)]
        cls.launcher = bool(re.search(r"^CMAKE_CXX_COMPILER_LAUNCHER:\w+=.", cache, re.M))
        run("cmake", "-G", "Ninja", "-S", cls.sources, "-B", cls.build, *same, "-DPAIRPORT_BUILD_TESTS=OFF",
            "-DCMAKE_INSTALL_PREFIX=/usr", f"-DCMAKE_INSTALL_LIBDIR={cls.LIBDIR}")

    def install(self, destination):
        return subprocess.run(["cmake", "--install", str(self.build)], env={**os.environ, "DESTDIR": str(destination)}, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_an_absolute_libdir_and_systemds_own_folder(self):
        destination = self.sources / "destination"
        said = self.install(destination)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("is not built, so nothing was installed; run: cmake --build", " ".join(said.stdout.split()))
        self.assertFalse(destination.exists())

        # As if it had been built here.
        for name in ["bin/pairport", *(f"{path}" for path in (*BUILD.glob("lib/*"), *BUILD.glob("*/libpairport_*.a")))]:
            target = self.build / pathlib.Path(BUILD / name).relative_to(BUILD)
            target.parent.mkdir(exist_ok=True)
            target.unlink(missing_ok=True)  # of the other test
            shutil.copy2(BUILD / name, target, follow_symlinks=False)
        said = self.install(destination)
        self.assertEqual(said.returncode, 0, said.stdout)
        folder = destination / self.LIBDIR.lstrip("/")
        environment = {**os.environ, "PKG_CONFIG_PATH": str(folder / "pkgconfig")}
        for layer in LAYERS:
            self.assertTrue((folder / f"libpairport_{layer}.so").is_file())
            for name, value in (("libdir", self.LIBDIR), ("includedir", "/usr/include")):
                self.assertEqual(run("pkg-config", f"--variable={name}", f"pairport-{layer}", env=environment).strip(), value)
        # Where systemd says, or below the prefix where its package says nothing.
        known = subprocess.run(["pkg-config", "--variable=systemdsystemunitdir", "systemd"], capture_output=True, text=True,
                               check=False)
        units = known.stdout.strip() if known.returncode == 0 else "/usr/lib/systemd/system"
        unit = (destination / units.lstrip("/") / "pairport.service").read_text(encoding="utf-8")
        self.assertIn("ExecStart=/usr/bin/pairport\n", unit)

    def test_a_library_is_the_same_bytes_wherever_it_is_built(self):
        run("cmake", "--build", self.build, "--parallel", "2", "--target", "pairport_core_shared")
        libraries = [folder / "lib" / f"libpairport_core.so.{VERSION}" for folder in (BUILD, self.build)]
        if self.launcher:  # ccache gives the compiler other paths, which debug information keeps, and so the build id
            for number, library in enumerate(libraries):
                libraries[number] = self.sources / f"stripped-{number}"
                run("objcopy", "--strip-all", "--remove-section=.note.gnu.build-id", library, libraries[number])
        first, second = (library.read_bytes() for library in libraries)
        self.assertTrue(first == second, f"{libraries[0]} and {libraries[1]} differ")
        self.assertNotIn(str(self.sources).encode(), second)

    def test_warnings_are_no_errors_unless_asked_for(self):
        self.assertNotIn("-Werror", (self.build / "build.ninja").read_text(encoding="utf-8"))
        presets = json.loads((ROOT / "CMakePresets.json").read_text(encoding="utf-8"))["configurePresets"]
        self.assertEqual(presets[0]["cacheVariables"]["PAIRPORT_WERROR"], "ON")
        self.assertTrue(all("inherits" in preset for preset in presets[1:]))

    def test_no_build_type_is_forced(self):
        plain = self.sources / "plain"
        said = run("cmake", "-G", "Ninja", "-S", self.sources, "-B", plain, "-DPAIRPORT_BUILD_TESTS=OFF",
                   env={name: value for name, value in os.environ.items() if name not in ("CMAKE_BUILD_TYPE", "CXXFLAGS")})
        self.assertIn("No CMAKE_BUILD_TYPE", said)
        self.assertRegex((plain / "CMakeCache.txt").read_text(encoding="utf-8"), r"(?m)^CMAKE_BUILD_TYPE:\w+=$")
        self.assertNotRegex((plain / "build.ninja").read_text(encoding="utf-8"), r"(?m)^ *FLAGS = .*-O[1-3s]")

    @unittest.skipUnless(os.environ.get("PAIRPORT_LONG"), "SKIPPED: builds everything anew; script/test long does it")
    def test_what_script_server_has_built_can_be_installed(self):
        self.assertIn(f"pairport {VERSION} ", run(self.sources / "script" / "server", "-v"))
        run("cmake", "--install", self.sources / "build" / "release", "--prefix", self.sources / "installed")
        self.assertIn(f"pairport {VERSION} ", run(self.sources / "installed" / "bin" / "pairport", "-v"))


if __name__ == "__main__":
    runner.run()
