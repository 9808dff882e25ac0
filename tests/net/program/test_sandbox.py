# SPDX-License-Identifier: MIT
"""What the process gives up after its start: each part bites by itself, and everything that serves goes on."""

import contextlib
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import runner
from certificates import make_certificate
from pairport_process import ROOT, Pairport, binary

SANITIZER = os.environ.get("PAIRPORT_SANITIZE", "")
PROBE = os.path.join(os.environ.get("PAIRPORT_BUILD", str(ROOT / "build" / "release")), "bin", "sandbox_probe")
GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": ":".join(["2a"] * 16), "client_id": "client1", "password": "it's"}
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def landlock_abi():
    """The ABI of the kernel's Landlock; -1: none."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)


ABI = landlock_abi()

# Action of the probe, what becomes of it without sandbox, with Landlock alone, with seccomp alone.
WRITING = [
    ("write", "ok", "EACCES", "EPERM"),
    ("read-write", "ok", "EACCES", "EPERM"),
    ("open-truncate", "ok", "EACCES", "EPERM"),
    ("create", "ok", "EACCES", "EPERM"),
    ("create-read-only", "ok", "EACCES", "EPERM"),
    ("create-nameless", "ok", "EACCES", "EPERM"),
    ("write-in-readable", "ok", "EACCES", "EPERM"),
    ("create-in-readable", "ok", "EACCES", "EPERM"),
    ("truncate", "ok", "EACCES" if ABI >= 3 else "ok", "EPERM"),
    ("mkdir", "ok", "EACCES", "EPERM"),
    ("mkfifo", "ok", "EACCES", "EPERM"),
    ("symlink", "ok", "EACCES", "EPERM"),
    ("link", "ok", "EACCES", "EPERM"),
    ("rename", "ok", "EACCES", "EPERM"),
    ("rmdir", "ok", "EACCES", "EPERM"),
    ("unlink", "ok", "EACCES", "ok"),  # the filter cannot see which file
    ("unlink-removable", "ok", "ok", "ok"),
]
ELSE = [
    ("append", "ok", "EACCES", "EPERM"),
    ("chmod", "ok", "ok", "EPERM"),
    ("read", "ok", "EACCES", "ok"),
    ("read-passwd", "ok", "EACCES", "ok"),
    ("read-through-link", "ok", "EACCES", "ok"),
    ("list", "ok", "EACCES", "ok"),
    ("read-readable", "ok", "ok", "ok"),
    ("list-readable", "ok", "ok", "ok"),
    ("read-unlisted", "ok", "ok", "ok"),
    ("list-unlisted", "ok", "EACCES", "ok"),
    # A log that is a file: it may grow, and nothing else.
    ("write-log", "ok", "ok", "ok"),
    ("truncate-log", "ok", "ok", "EPERM"),
    ("duplicate-log", "ok", "ok", "EPERM"),
    ("flags-of-log", "ok", "ok", "EPERM"),
    ("truncate-memory", "ok", "ok", "ok"),
    ("flags", "ok", "ok", "ok"),
    # A listening socket that has been shut down becomes a client of whoever is named. Landlock does not see that.
    ("fast-open", "ok", None, "EPERM"),
    ("fast-open-message", "ok", None, "EPERM"),
    ("send-to", "ok", "ok", "EPERM"),
    ("send", "ok", "ok", "ok"),
    ("send-message", "ok", "ok", "ok"),
    ("socket", "ok", "ok", "EPERM"),
    ("socket-unix", "ok", "ok", "EPERM"),
    ("socket-netlink", "ok", "ok", "EPERM"),
    ("connect", "ECONNREFUSED", "EACCES" if ABI >= 4 else "ECONNREFUSED", "EPERM"),
    ("bind", "ok", "EACCES" if ABI >= 4 else "ok", "EPERM"),
    ("abstract", "ok", "EPERM" if ABI >= 6 else "ok", "EPERM"),
    ("signal-parent", "ok", "EPERM" if ABI >= 6 else "ok", "EPERM"),
    ("exec", "", "EACCES", "killed"),
    ("fork", "ok", "ok", "EPERM"),
    ("thread", "ok", "ok", "ok"),
    ("ptrace", "ok", "ok", "killed"),
    ("map", "ok", "ok", "ok"),
    ("map-executable", "ok", "ok", "EPERM"),
    ("make-executable", "ok", "ok", "EPERM"),
    ("batch", "ok", "ok", "ok"),
    ("idle", "ok", "ok", "EPERM"),
    ("dumpable", "ok", "ok", "EPERM"),
    ("name", "ok", "ok", "ok"),
    ("read-limit", "ok", "ok", "ok"),
    ("set-limit", "ok", "ok", "EPERM"),
    ("io-uring", None, None, "EPERM"),
    ("unknown-call", None, None, "ENOSYS"),
]


class Probe(unittest.TestCase):
    """A program that enters the sandbox and then tries what it forbids."""

    def outcome(self, parts, action):
        with tempfile.TemporaryDirectory(prefix="pairport-sandbox-") as name:
            folder = pathlib.Path(name)
            for path in ("readable", "unlisted", "removable", "empty"):
                (folder / path).mkdir()
            for path in ("file", "readable/file", "unlisted/file", "removable/file"):
                (folder / path).write_bytes(b"content")
            (folder / "readable" / "link").symlink_to("../file")
            with socket.socket(socket.AF_UNIX) as abstract:
                abstract.bind(b"\0" + name.encode())
                abstract.listen()
                result = subprocess.run([PROBE, parts, name, action], capture_output=True, text=True, timeout=60)
            if result.returncode == -signal.SIGSYS:
                return "killed"
            self.assertEqual(result.returncode, 0, f"{parts} {action}: {result.stdout}{result.stderr}")
            if result.stdout.startswith("E"):
                self.assertEqual((folder / "file").read_bytes(), b"content")
                self.assertFalse((folder / "new").exists())
            return result.stdout.strip()

    def check(self, parts, column, actions):
        self.assertEqual({row[0]: self.outcome(parts, row[0]) for row in actions if row[column] is not None},
                         {row[0]: row[column] for row in actions if row[column] is not None})

    def test_the_probe_can_do_all_of_it_without_a_sandbox(self):
        self.check("none", 1, WRITING + ([] if SANITIZER else ELSE))

    @unittest.skipIf(ABI < 1, "SKIPPED: this kernel has no Landlock")
    def test_landlock(self):
        self.check("landlock", 2, WRITING + ([] if SANITIZER else ELSE))

    @unittest.skipIf(SANITIZER, "SKIPPED: sanitizer builds have no filter of system calls")
    def test_seccomp(self):
        self.check("seccomp", 3, WRITING + ELSE)

    @unittest.skipIf(SANITIZER, "SKIPPED: sanitizer builds have no filter of system calls")
    def test_refusing_io_uring_refuses_nothing_else(self):
        self.assertNotEqual(self.outcome("none", "io-uring"), "ENOSYS")
        self.assertEqual(self.outcome("io_uring", "io-uring"), "ENOSYS")
        self.check("io_uring", 1, WRITING + ELSE)

    @unittest.skipIf(SANITIZER or ABI < 1, "SKIPPED: sanitizer build, or no Landlock")
    def test_both_together(self):
        for action, _, landlock, seccomp in WRITING + ELSE:
            if landlock is not None:
                self.assertEqual(self.outcome("both", action), landlock if seccomp == "ok" else seccomp, action)


@contextlib.contextmanager
def package_folder():
    with tempfile.TemporaryDirectory(prefix="pairport-packages-") as folder:
        pathlib.Path(folder, "client.tar.gz").write_bytes(b"x" * 300_000)
        pathlib.Path(folder, "folder").mkdir()
        yield folder


def status_of(service):
    text = pathlib.Path(f"/proc/{service.process.pid}/status").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.M))


class Program(unittest.TestCase):
    def live(self, service, folder):
        """All that the service does, once."""
        codes = [service.deposit(**GOOD)["pairing_code"] for _ in range(200)]
        for code in codes[:3]:
            self.assertEqual(service.get("/" + code)[0], 200)
            self.assertEqual(service.get(f"/{code}.ps1")[0], 200)
        for target, status in (("/1234567", 404), ("/update", 200), ("/uninstall", 200), ("/packages/client.tar.gz", 200),
                               ("/packages/nothing", 404), ("/packages/folder", 404)):
            self.assertEqual(service.get(target)[0], status, target)
        self.assertEqual(service.request("OPTIONS", "/")[0], 204)
        # Changed later, and new.
        pathlib.Path(folder, "new").write_bytes(b"new")
        self.assertEqual(service.get("/packages/new")[2], b"new")
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=20)) for _ in range(200)]
            for client in clients:
                client.sendall(b"GET /packages/client.tar.gz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            for client in clients:
                size = 0
                while data := client.recv(1 << 20):
                    size += len(data)
                self.assertGreater(size, 300_000)

    def config(self, folder, more=""):
        return f'[limits]\n  deposit_burst = 0\n[installer]\n  package_dir = "{folder}"\n{more}'

    def test_it_is_in_force_and_everything_works(self):
        with package_folder() as folder, Pairport(self.config(folder)) as service:
            status = status_of(service)
            self.assertEqual(status["NoNewPrivs"], "1")
            self.assertIn(b"info: no_new_privs: in force\n", service.log)
            if ABI >= 1:
                self.assertIn(f"info: landlock: in force (ABI {ABI}): no file can be written".encode(), service.log)
            if SANITIZER:
                self.assertIn(b"warning: seccomp: not in force: this is a sanitizer build", service.log)
            else:
                self.assertEqual(status["Seccomp"], "2")
                self.assertRegex(service.log, rb"info: seccomp: in force: \d+ system calls are left")
                self.assertIn(folder.encode(), service.log)
            self.live(service, folder)
            self.assertEqual(service.stop(), 0)
            self.assertIn(b"info: stopped\n", service.log)

    def test_threads_of_the_pool_are_held_too(self):
        with package_folder() as folder, Pairport(self.config(folder)) as service:
            self.assertEqual(service.get("/packages/client.tar.gz")[0], 200)
            tasks = list(pathlib.Path(f"/proc/{service.process.pid}/task").iterdir())
            self.assertGreater(len(tasks), 2, "a file is read by a thread of the pool; another one writes the log")
            for task in tasks if not SANITIZER else []:
                text = (task / "status").read_text(encoding="utf-8")
                self.assertRegex(text, r"NoNewPrivs:\s*1\n")
                self.assertRegex(text, r"Seccomp:\s*2\n")

    def test_it_can_be_switched_off(self):
        with Pairport("[security]\n  sandbox = false\n") as service:
            self.assertEqual((status_of(service)["Seccomp"], status_of(service)["NoNewPrivs"]), ("0", "1"))
            self.assertIn(b"warning: landlock, seccomp: not in force: [security] sandbox = false\n", service.log)

    def test_a_unix_socket_is_removed_at_the_end(self):
        with tempfile.TemporaryDirectory() as folder:
            with Pairport(f'[server]\n  address = "unix:{folder}/s"\n  url = "https://p.example.com"\n') as service:
                self.assertTrue(os.path.exists(f"{folder}/s"))
                self.assertEqual(service.stop(), 0)
            self.assertEqual(os.listdir(folder), [])

    def test_the_log_may_be_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "log")
            config = pathlib.Path(folder, "c.conf")
            config.write_text('[server]\naddress = "127.0.0.1:0"\n', encoding="utf-8")
            with open(path, "wb") as log, subprocess.Popen([binary(), "-c", config], stderr=log) as process:
                while not (line := re.search(rb"listening on http://127.0.0.1:(\d+)\n", path.read_bytes())):
                    self.assertIsNone(process.poll())
                # An answer says that the loop runs: a signal before that gets lost under ThreadSanitizer, which puts it off
                # to the next call that it takes for one that waits.
                with socket.create_connection(("127.0.0.1", int(line[1])), timeout=20) as client:
                    client.sendall(b"GET /update HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    while client.recv(65536):
                        pass
                process.terminate()
                self.assertEqual(process.wait(30), 0)
            self.assertIn(b"info: stopped\n", path.read_bytes(), "also what is written after the start")

    def test_a_log_that_is_a_file_is_only_appended_to_and_nothing_else_of_the_shell_stays_open(self):
        with tempfile.TemporaryDirectory() as folder:
            path, other = pathlib.Path(folder, "log"), pathlib.Path(folder, "other")
            config = pathlib.Path(folder, "c.conf")
            config.write_text('[server]\naddress = "127.0.0.1:0"\n', encoding="utf-8")
            # As `2>FILE` opens it: not for appending.
            with open(path, "wb") as log, open(other, "w+b") as both, \
                    subprocess.Popen([binary(), "-c", config], stdin=both, stdout=both, stderr=log) as process:
                while b"listening on" not in path.read_bytes():
                    self.assertIsNone(process.poll())
                    time.sleep(0.01)
                for fd in (0, 1):
                    self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{fd}"), "/dev/null")
                flags = re.search(r"^flags:\s*([0-7]+)$", pathlib.Path(f"/proc/{process.pid}/fdinfo/2").read_text(encoding="ascii"), re.M)[1]
                self.assertTrue(int(flags, 8) & os.O_APPEND, flags)
                os.truncate(path, 0)  # as logrotate's copytruncate does
                process.terminate()
                self.assertEqual(process.wait(30), 0)
            self.assertRegex(path.read_bytes(), rb"\A\d{4}-.*info: stopp", "appended at the end there is, without a hole")

    def test_a_descriptor_2_that_is_closed_is_no_socket(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "c.conf")
            config.write_text(f'[server]\naddress = "unix:{folder}/s"\nurl = "https://p.example.com"\n', encoding="utf-8")
            with subprocess.Popen(["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', binary(), config]) as process:
                for _ in range(1000):
                    with socket.socket(socket.AF_UNIX) as client:
                        try:
                            client.connect(f"{folder}/s")
                            client.sendall(b"GET /update HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                            self.assertTrue(client.recv(100).startswith(b"HTTP/1.1 200"))
                            break
                        except OSError:
                            self.assertIsNone(process.poll())
                            time.sleep(0.02)
                self.assertEqual([os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in (0, 1, 2)], ["/dev/null"] * 3)
                process.terminate()
                self.assertEqual(process.wait(30), 0)

    @unittest.skipIf(SANITIZER or ABI < 1, "SKIPPED: sanitizer build, or no Landlock")
    def test_what_can_be_read_and_removed_is_no_more_than_it_takes(self):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            challenges = root / "www" / ".well-known" / "acme-challenge"
            challenges.mkdir(parents=True)
            (challenges / "token").write_bytes(b"token.thumbprint")
            (root / "socket").mkdir()
            config = f'[server]\n  address = ["127.0.0.1:0", "unix:{root}/socket/s"]\n  acme_webroot = "{root}/www"\n'
            with Pairport(config) as service:
                self.assertIn(f"or read outside of {challenges};".encode(), service.log)
                self.assertNotIn(b"warning: landlock", service.log)
                self.assertEqual(service.get("/.well-known/acme-challenge/token")[2], b"token.thumbprint")
            # Without the folder all of its parent is readable; something else lies beside the socket.
            shutil.rmtree(root / "www" / ".well-known")
            (root / "socket" / "other").write_bytes(b"")
            with Pairport(config) as service:
                self.assertIn(f"warning: landlock: all of [server] acme_webroot can be read, because {challenges} is not there".encode(), service.log)
                self.assertIn(f"warning: landlock: any file in {root}/socket can be removed, because unix:{root}/socket/s is there".encode(), service.log)
                challenges.mkdir(parents=True)
                (challenges / "token").write_bytes(b"token.thumbprint")
                self.assertEqual(service.get("/.well-known/acme-challenge/token")[2], b"token.thumbprint", "made later, as certbot does")
            # A link would lead out of the folder.
            shutil.rmtree(challenges)
            challenges.symlink_to(root / "socket")
            with Pairport(config) as service:
                self.assertIn(f"or read outside of {root}/www;".encode(), service.log)

    @unittest.skipIf(SANITIZER or ABI < 1, "SKIPPED: sanitizer build, or no Landlock")
    def test_a_socket_in_the_folder_of_everybody_is_told(self):
        with tempfile.TemporaryDirectory() as name:
            path = "/tmp/" + os.path.basename(name) + ".sock"
            with Pairport(f'[server]\n  address = "unix:{path}"\n  url = "https://p.example.com"\n') as service:
                self.assertIn(f"warning: landlock: any file in /tmp can be removed, because unix:{path} is there; give the socket".encode(), service.log)

    @unittest.skipIf(SANITIZER or ABI < 1, "SKIPPED: sanitizer build, or no Landlock")
    def test_a_foreign_key_beside_the_certificate_is_told(self):
        with tempfile.TemporaryDirectory() as name:
            certificate, key = make_certificate(name)
            config = f'[server]\n  address = "https://127.0.0.1:0"\n  tls_cert = "{certificate}"\n  tls_key = "{key}"\n'
            foreign = pathlib.Path(name, "foreign.key")
            for there in (False, True):
                if there:
                    foreign.write_bytes(b"")
                with Pairport(config) as service:
                    self.assertEqual(f"warning: landlock: {foreign} can be read".encode() in service.log, there, service.log)

    @unittest.skipIf(SANITIZER, "SKIPPED: the sanitizer's run-time opens files of its own")
    @unittest.skipUnless(shutil.which("strace"), "SKIPPED: strace is not installed")
    def test_nothing_is_opened_for_writing_or_written_after_the_start(self):
        with package_folder() as folder, tempfile.TemporaryDirectory() as traces:
            trace = os.path.join(traces, "trace")
            with Pairport(self.config(folder), wrapper=["strace", "-D", "-f", "-y", "-s", "40", "-o", trace]) as service:
                self.live(service, folder)
                self.assertEqual(service.stop(120), 0)
            lines = pathlib.Path(trace).read_text(encoding="utf-8", errors="replace").splitlines()
        filters = [i for i, line in enumerate(lines) if re.search(r"seccomp\(SECCOMP_SET_MODE_FILTER, .* = 0$", line)]
        self.assertEqual(len(filters), 2, "one before the loop, one at the end")
        # Newer versions of libuv try to make rings as soon as there is a loop.
        for line in lines:
            if "io_uring_setup(" in line:
                self.assertIn("= -1 ENOSYS", line)
        after = lines[filters[-1] + 1:]
        self.assertGreater(sum("accept4(" in line for line in after), 200, "the trace shows the work")
        self.assertTrue(any(folder in line and "openat(" in line for line in after), "files of the package folder too")
        for line in after:
            # strace shows a file as <path> and anything else as <kind:[number]>.
            self.assertNotRegex(line, r"\bopen(at|at2)?\(.*O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
            write = re.search(r"\b(?:write|writev|pwrite64|pwritev2?|sendfile|splice|tee|ftruncate|fallocate)\((\d+)<(/[^>]*)>", line)
            if write and int(write.group(1)) != 2:
                self.assertRegex(write.group(2), r"^/(memfd:|secretmem)", line)
            self.assertNotRegex(line, r"\b(creat|mkdir|mkdirat|rename\w*|link|linkat|symlink\w*|unlink\w*|truncate|mknod\w*|execve\w*|socket|connect)\(")
            # Nothing that the service does by itself is refused: the list of system calls is complete.
            # clone3 alone: the C library falls back to clone.
            if "clone3" not in line:
                self.assertNotRegex(line, r"= -1 (EPERM|EACCES|ENOSYS)")


class Refusal(unittest.TestCase):
    """Kernels, and containers, that lack a part: simulated by system calls that fail."""

    def start(self, without, security):
        wrapper = [PROBE, "--without", without]
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "c.conf")
            pathlib.Path(config).write_text(f'[server]\n  address = "127.0.0.1:0"\n[security]\n{security}', encoding="utf-8")
            return subprocess.run([*wrapper, binary(), "-c", config], capture_output=True, text=True, timeout=60)

    def test_it_says_what_is_missing_and_goes_on(self):
        for without, text in (("landlock_create_ruleset=ENOSYS", "landlock: not in force: this kernel is built without it"),
                              ("landlock_create_ruleset=EOPNOTSUPP", "landlock: not in force: it is switched off when this kernel boots"),
                              ("landlock_create_ruleset=EPERM", "landlock: not in force: Operation not permitted; a container's"),
                              ("landlock_restrict_self=EPERM", "landlock: not in force: Operation not permitted")):
            with Pairport(wrapper=[PROBE, "--without", without]) as service:
                self.assertIn("warning: " + text, service.log.decode())
                self.assertEqual(service.get("/update")[0], 200)
                self.assertEqual(service.stop(), 0)

    @unittest.skipIf(SANITIZER, "SKIPPED: sanitizer builds have no filter of system calls")
    def test_without_seccomp_it_goes_on_too(self):
        for error, text in (("ENOSYS", "this kernel is built without its filters"), ("EPERM", "Operation not permitted; a container's")):
            with Pairport(wrapper=[PROBE, "--without", "seccomp=" + error]) as service:
                self.assertIn("warning: seccomp: not in force: " + text, service.log.decode())
                self.assertEqual(service.get("/update")[0], 200)

    def test_what_is_required_and_missing_stops_the_start(self):
        for part, call in (("landlock", "landlock_create_ruleset"), ("seccomp", "seccomp")):
            result = self.start(call + "=ENOSYS", f"require_{part} = true\n")
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertRegex(result.stderr, rf"error: {part}: not in force: this .*; \[security\] require_{part} does not allow to go on without it\n")
            self.assertNotIn("listening on", result.stderr)

    @unittest.skipIf(SANITIZER or ABI < 1, "SKIPPED: sanitizer build, or no Landlock")
    def test_what_is_required_and_there_does_not(self):
        with Pairport("[security]\n  require_landlock = true\n  require_seccomp = true\n") as service:
            self.assertEqual(service.get("/update")[0], 200)


ATTACK = r"""
import ctypes, os, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
attached = libc.ptrace(16, pid, None, None) == 0
print("attach", "ok" if attached else os.strerror(ctypes.get_errno()))
if attached:
    os.waitpid(pid, 0x40000000)
    libc.ptrace(17, pid, None, None)
for name in ("mem", "environ", "maps"):
    try:
        os.close(os.open(f"/proc/{pid}/{name}", os.O_RDONLY))
        print(name, "ok")
    except OSError as error:
        print(name, os.strerror(error.errno))
"""


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "SKIPPED: needs root and setpriv to become another user")
class SameUser(unittest.TestCase):
    """Another process of the same user gets at nothing."""

    def attack(self, pid):
        result = subprocess.run([*NOBODY, "--inh-caps=-all", sys.executable, "-c", ATTACK, str(pid)], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        return dict(line.split(" ", 1) for line in result.stdout.splitlines())

    def test_it_cannot_be_traced_or_read(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            program = shutil.copy(binary(), folder)
            config = pathlib.Path(folder, "c.conf")
            config.write_text('[server]\naddress = "127.0.0.1:0"\n', encoding="utf-8")
            with subprocess.Popen([*NOBODY, program, "-c", config], stderr=subprocess.PIPE) as process:
                try:
                    log = b""
                    while b"listening on" not in log:
                        data = os.read(process.stderr.fileno(), 65536)
                        self.assertTrue(data, log)
                        log += data
                    self.assertEqual(self.attack(process.pid), {"attach": "Operation not permitted", "mem": "Permission denied",
                                                                "environ": "Permission denied", "maps": "Permission denied"})
                finally:
                    process.terminate()
                    process.wait(30)
            # The attack is a real one.
            with subprocess.Popen([*NOBODY, "sleep", "60"]) as process:
                try:
                    while "sleep" not in pathlib.Path(f"/proc/{process.pid}/comm").read_text(encoding="utf-8"):
                        self.assertIsNone(process.poll())
                    outcome = self.attack(process.pid)
                finally:
                    process.kill()
            self.assertEqual(outcome["environ"], "ok")
            if outcome["attach"] != "ok":
                self.skipTest("SKIPPED in part: nothing of the same user can be traced here (ptrace_scope)")


if __name__ == "__main__":
    runner.run()
