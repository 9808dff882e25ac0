# SPDX-License-Identifier: MIT
"""What the tests of the Linux scripts share: the stand-in client, packages made of it, a web server, the real service."""

import concurrent.futures
import contextlib
import fcntl
import functools
import http.server
import io
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import traceback
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests" / "support"), str(HERE)]

from isolated_root import EVERY_SHELL, HIDDEN_TOOLS, IsolatedRoot, SHELLS, TOOLS, busybox, require_isolation, unavailable  # noqa: E402
from pairport_process import Pairport, binary  # noqa: E402

# The tests import these from here.
__all__ = ["EVERY_SHELL", "HIDDEN_TOOLS", "SHELLS", "busybox", "unavailable", "binary"]

FINGERPRINT = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
EXAMPLE = HERE / "rport.example.conf"
ARCHIVE = "rport_{}_linux_x86_64.tar.gz"
ID = "client-1"
PASSWORD = "pass'word \"$(touch /tmp/canary)`touch /tmp/canary`\\"


@functools.lru_cache(maxsize=None)
def stand_in():
    """The bytes of the stand-in client, compiled once below the build folder."""
    folder = pathlib.Path(os.environ.get("PAIRPORT_BUILD", str(ROOT / "build"))) / "installer-tests"
    folder.mkdir(parents=True, exist_ok=True)
    source, program = HERE / "stand_in_client.cc", folder / "stand_in_client"
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            made = subprocess.run(["g++", "-std=c++20", "-O1", "-static", "-s", "-Wall", "-Wextra", "-Werror", str(source), "-o",
                                   str(program)], capture_output=True, text=True)
            if made.returncode:
                raise RuntimeError("stand_in_client.cc (packages g++, libtomlplusplus-dev): " + made.stderr)
    return program.read_bytes()


def client(version="0.9.14", play=""):
    """A client program of that version that plays that part whatever its configuration says."""
    content = stand_in()
    for marker, value in ((b"STAND-IN-VERSION:", version), (b"STAND-IN-PLAY:", play)):
        at = content.index(marker) + len(marker)
        content = content[:at] + value.encode().ljust(24, b"\0") + content[at + 24:]
    return content


def archive(files):
    """A flat tar.gz of name -> bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.uid, entry.gid = len(content), 0o755, 1234, 1234
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def client_archive(version="0.9.14", play="", example=None):
    return archive({"rport": client(version, play), "rport.example.conf": example or EXAMPLE.read_bytes()})


class Web:
    """A web server on 127.0.0.1: `files` maps a path to bytes, to a status code, or to a function of the request."""

    def __init__(self, files=None):
        self.files = dict(files or {})
        self.requests = []

    def __enter__(self):
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                web.requests.append((self.path, dict(self.headers)))
                answer = web.files.get(self.path.split("?")[0], 404)
                if callable(answer):
                    answer = answer(self)
                status, body = (answer, b"") if isinstance(answer, int) else (200, answer)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def configuration(web_url, extra="", pairing=""):
    """The service's configuration with every address at the test's own server."""
    templates = os.environ.get("PAIRPORT_TEMPLATES")  # for work on the templates without a build
    return f"""
[limits]
  deposits_per_second = 0
  network_share = 0
  misses_per_second = 0
{pairing}
[installer]
  linux_url = "{web_url}/rport_{{version}}_{{os}}_{{arch}}.tar.gz"
  checksums_url = "{web_url}/{{version}}/checksums.txt"
  deb_repo = "{web_url}/deb"
  rpm_repo = "{web_url}/rpm"
  repo_keys = "{web_url}/keys"
  tacoscript_url = "{web_url}/taco/{{channel}}/?arch={{os}}_{{arch}}"
  unstable_version = "0.9.15"
{"  use_repositories = false" if "use_repositories" not in extra else ""}
{f'  templates = "{templates}"' if templates else ""}
{extra}
"""


# A machine with GNU tools, and one with BusyBox alone; where its tools are put before all others, that has been tested.
KINDS = ("host",) if TOOLS else ("host", "busybox")
AWKS = ("gawk", "mawk", "original-awk", "busybox")
LONG = os.environ.get("PAIRPORT_LONG") == "1"


def use_awk(root, name):
    """The scripts find this awk first."""
    program = shutil.which(name)
    if not program:
        raise unittest.SkipTest(f"SKIPPED: no {name} on this machine")
    root.path("/usr/local/sbin/awk").symlink_to(program)


def quick(script):
    """The same script, content with a connection of 3 seconds."""
    assert script.count(b"\nHOLD=15\n") == 1
    return script.replace(b"\nHOLD=15\n", b"\nHOLD=3\n")


def essential(test):
    """Runs with the tools of BusyBox always; the others do in a long run."""
    test.essential = True
    return test


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("this did not happen in time")
        time.sleep(0.01)


def without_packages_of_busybox():
    """Its shell runs its own dpkg and rpm, whatever the PATH says, and these are none."""
    if TOOLS == "busybox":
        raise unittest.SkipTest("SKIPPED: the shell of BusyBox runs no dpkg and rpm but its own")


class InstallerTest(unittest.TestCase):
    """One web server with packages, one service, for all tests of a class."""

    def setUp(self):
        if TOOLS == "busybox" and not LONG and not hasattr(getattr(self, self._testMethodName), "essential"):
            self.skipTest("SKIPPED: with the tools of BusyBox in a long run (PAIRPORT_LONG=1)")

    extra = ""

    @classmethod
    def setUpClass(cls):
        require_isolation()
        cls.stack = contextlib.ExitStack()
        cls.models, cls.model_lock = {}, threading.Lock()
        cls.web = cls.stack.enter_context(Web({
            "/" + ARCHIVE.format("0.9.14"): client_archive("0.9.14"),
            "/" + ARCHIVE.format("0.9.15"): client_archive("0.9.15"),
            "/taco/stable/": archive({"tacoscript": b"#!/bin/sh\necho taco\n"}),
        }))
        cls.service = cls.stack.enter_context(Pairport(configuration(cls.web.url, cls.extra)))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def script(self, play="connected", client_id=ID, password=PASSWORD, url=None):
        """The installer that the service serves for a fresh deposit. The server's name says what the client shall play."""
        answer = self.service.deposit(connect_url=url or f"{self.web.url}/{play}", fingerprint=FINGERPRINT, client_id=client_id,
                                      password=password)
        status, _, body = self.service.get("/" + answer["pairing_code"])
        self.assertEqual(status, 200)
        return body

    def fixed(self, name):
        return self.service.get("/" + name)[2]

    @contextlib.contextmanager
    def paired(self, kind="host", args=(), **deposit):
        """A root where the installer has been run, and the client is connected. `bare`: what it was like before.

        It is run once for all tests that begin so, and its files are copied: it takes most of the time of such a test."""
        what = (kind, tuple(args), tuple(sorted(deposit.items())))
        with self.model_lock:
            if what not in self.models:
                model = self.stack.enter_context(IsolatedRoot(kind))
                model.bare = model.snapshot()
                self.assertExit(model.run(self.script(**deposit), args), 0)
                for pid in model.processes("rport"):
                    os.kill(pid, signal.SIGTERM)
                wait_for(lambda: not model.processes("rport"))
                self.models[what] = model
        with IsolatedRoot(kind, self.models[what]) as root:
            root.bare = self.models[what].bare
            log = len(root.read("/var/log/rport/rport.log"))
            root.call(["sh", "-c", "umask 027; setsid su -s /bin/sh rport -c 'exec /usr/local/bin/rport -c /etc/rport/rport.conf'"
                       " >/dev/null 2>&1 </dev/null &"])
            wait_for(lambda: b": Connected to " in root.read("/var/log/rport/rport.log")[log:])
            yield root

    def side_by_side(self, function, cases):
        """function(*case) for each case, two at a time: they spend most of their time waiting for a connection that is not
        there. Each that fails is named."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            done = [(case, pool.submit(function, *case)) for case in cases]
        for case, result in done:
            with self.subTest(case=case):
                result.result()

    def assertExit(self, result, code):
        self.assertEqual(result.returncode, code, f"\n{result.stdout.decode(errors='replace')}\n{result.stderr.decode(errors='replace')}")
        for secret in (PASSWORD, ID):
            self.assertNotIn(secret.encode(), result.stdout + result.stderr)


NASTY = ["'", '"', "`", "\\", "$(touch /tmp/canary)", "`touch /tmp/canary`", "${IFS}", "&", "/", "|", ";", "'\\''", "#", "%s%n", "!", "*",
         "~", "{{password}}", "\\n", "\\u0041", "$'", "=", "[client]", "<", ">", "(", ")", "é", "ß", "😀", "日本", "\u2019", "\u202e", "\ufeff",
         " ", "  ", "-e", "-n", "\\0", "\\c", "'; touch /tmp/canary; '", "\"; touch /tmp/canary; \"", "'''", '"""', "a", "Z", "0"]


def generated_values(count, seed):
    """Values that a deposit may hold and that have broken shells, sed programs or TOML."""
    source = random.Random(seed)
    values = ["".join(source.choice(NASTY) for _ in range(source.randint(1, 9))) for _ in range(count - count // 4)]
    values += ["".join(chr(source.randint(0x20, 0x7E)) for _ in range(source.randint(1, 40))) for _ in range(count // 4)]
    return values


class Shared(unittest.TestSuite):
    """Tests that several processes share: each takes the next one from a pipe."""

    _cleanup = False

    def __init__(self, tests, pipe):
        super().__init__(tests)
        self.pipe = pipe

    def __iter__(self):
        while number := os.read(self.pipe, 1):
            yield self._tests[number[0]]


def work(tests, pipe, report):
    """Runs its share, with a web server and a service of its own; all that is said goes to a file."""
    runner = unittest.TextTestRunner(stream=report, verbosity=2)
    result = runner.run(Shared(tests, pipe))
    report.write(f"\n{result.testsRun} {len(result.skipped)} {int(result.wasSuccessful())}\n")
    report.flush()


def flat(suite):
    return [test for item in suite for test in (flat(item) if isinstance(item, unittest.TestSuite) else [item])]


def main(processes=1):
    """unittest.main, with exit code 77 when nothing could be tested on this machine. `processes`: for tests that mostly wait."""
    if processes == 1 or any(not argument.startswith("-") for argument in sys.argv[1:]):  # of one test something is seen at once
        result = unittest.main(module="__main__", exit=False, verbosity=2).result
        run, skipped, good = result.testsRun, len(result.skipped), result.wasSuccessful()
    else:
        run, skipped, good = 0, 0, True
        tests = flat(unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"]))
        pipe, end = os.pipe()
        os.write(end, bytes(range(len(tests))))
        os.close(end)
        workers = []
        for _ in range(processes):
            report = tempfile.TemporaryFile("w+", encoding="utf-8")
            pid = os.fork()
            if pid == 0:
                try:
                    work(tests, pipe, report)
                except BaseException:
                    traceback.print_exc(file=report)
                    report.flush()
                finally:
                    os._exit(0)
            workers.append((pid, report))
        for pid, report in workers:
            os.waitpid(pid, 0)
            report.seek(0)
            *lines, last = report.read().rstrip("\n").split("\n")
            print("\n".join(lines), file=sys.stderr)
            counts = last.split()
            if len(counts) != 3 or not all(count.isdigit() for count in counts):
                print(last + "\nthis process ended before its tests did", file=sys.stderr)
                counts = (0, 0, 0)
            run, skipped, good = run + int(counts[0]), skipped + int(counts[1]), good and counts[2] == "1"
    if good and (run == 0 or skipped >= run):
        print("SKIPPED: nothing could be tested on this machine", file=sys.stderr)
        sys.exit(77)
    sys.exit(0 if good else 1)
