# SPDX-License-Identifier: MIT
"""A machine with an init system of its own as PID 1, booted by systemd-nspawn on a throw-away layer over a cached root.

    with Machine("systemd") as machine:
        before = machine.snapshot()
        result = machine.run(script, ["-x"])
        machine.reboot()
        self.assertEqual(machine.changes(before), {})

Processes, mounts, host name and control groups are the machine's own; the network is that of the machine that runs the
tests, so that a test's server on 127.0.0.1 is reached (nspawn takes the right to change it away). All writes go to a tmpfs.
However a test ends, killed included, processes and mounts end with it.
"""

import contextlib
import functools
import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import time

import roots

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "installers"))
from isolated_root import IGNORED, PATH, _describe  # noqa: E402

# What a running system writes on its own account.
NOISE = (*IGNORED, "/var/log/journal", "/var/log/wtmp", "/var/log/btmp", "/var/log/alternatives.log", "/var/log/boot", "/var/log/dmesg",
         "/var/log/dmesg.0", "/var/log/fsck", "/usr/lib/rc/cache", "/var/lib/systemd", "/var/lib/urandom", "/var/lib/sudo",
         "/var/lib/initscripts", "/etc/mtab", "/etc/adjtime", "/etc/.updated", "/var/.updated", "/etc/init.d/.depend.boot",
         "/etc/init.d/.depend.start", "/etc/init.d/.depend.stop")

# nspawn ends with 133 when the machine wants to boot again. A tmpfs over /run keeps its own files off this machine.
_HOLD = r"""
set -eu
top=$1 lower=$2
shift 2
mount -t tmpfs -o mode=755 tmpfs "$top"
mkdir "$top/upper" "$top/work" "$top/root" "$top/pristine"
mount -t overlay -o "lowerdir=$lower,upperdir=$top/upper,workdir=$top/work" overlay "$top/root"
mount -t overlay -o "lowerdir=$lower" overlay "$top/pristine"
mount -t tmpfs -o mode=755 tmpfs /run
again=133
while [ "$again" = 133 ]; do
  systemd-nspawn --quiet --register=no --keep-unit --directory="$top/root" --machine=test-machine --console=pipe --link-journal=no \
    --resolv-conf=off --timezone=off "$@" && again=0 || again=$?
done
exit "$again"
"""
_BOOTED = {
    "systemd": "case $(systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) false ;; esac",
    "openrc": "[ -e /run/booted ]",
    "sysv": "[ -e /run/booted ]",
    "none": "true",
}
_PID1 = {"systemd": "systemd", "openrc": "init", "sysv": "init", "none": "sleep"}


def _control_groups():
    """This process's own folder in each hierarchy that groups processes: cgroup 2, and the one named systemd of version 1."""
    own = dict(line.split(":", 2)[1:] for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines())
    found = {}  # a hierarchy can be mounted at several places
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        fields, kind = line.split(" - ")[0].split(), line.split(" - ")[1].split()
        name = "" if kind[0] == "cgroup2" else "name=systemd" if kind[0] == "cgroup" and "name=systemd" in kind[2].split(",") else None
        if name is not None and name in own and fields[3] == "/":
            found.setdefault(name, pathlib.Path(fields[4] + own[name]))
    return list(found.values())


@contextlib.contextmanager
def _own_control_group(name):
    """Gives what a child has to call before it becomes nspawn, which makes folders below the control group that it is in."""
    with contextlib.ExitStack() as stack:
        groups = [folder / name for folder in _control_groups()]
        for group in groups:
            group.mkdir()
            stack.callback(_remove_group, group)

        def enter():
            for group in groups:
                (group / "cgroup.procs").write_text("0")

        yield enter


def _folder():
    """An empty folder for a machine's mounts; its name also names the control group. Removes those of tests that were killed."""
    for place in [pathlib.Path(tempfile.gettempdir()), *_control_groups()]:
        for old in place.glob("pairport-machine-*-*"):
            if not os.path.exists("/proc/" + old.name.split("-")[2]):
                for folder, _, _ in os.walk(old, topdown=False):
                    with contextlib.suppress(OSError):
                        os.rmdir(folder)
    return tempfile.mkdtemp(prefix=f"pairport-machine-{os.getpid()}-")


def _wait(condition, seconds, what, problem=lambda: ""):
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise RuntimeError(f"no {what} within {seconds} s: {problem()}")
        time.sleep(0.05)


def _isolated(top, lower, command):
    """The command line of a machine: namespaces that end with this program, and nspawn in them."""
    return ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
            "sh", "-c", _HOLD, "sh", top, ":".join(map(str, lower)), *command]


_ENVIRONMENT = {"PATH": PATH, "UNIFIED_CGROUP_HIERARCHY": "1"}


@functools.lru_cache(maxsize=None)
def unavailable(init):
    """Why no machine can run here, or None. Builds the root; tries one program in it, without any init system."""
    try:
        lower = roots.layers(init)
    except roots.Unavailable as reason:
        return str(reason)
    top = _folder()
    with contextlib.ExitStack() as stack:
        stack.callback(os.rmdir, top)
        enter = stack.enter_context(_own_control_group(os.path.basename(top)))
        tried = subprocess.run(_isolated(top, lower, ["/bin/echo", "it runs"]), capture_output=True, text=True, env=_ENVIRONMENT,
                               stdin=subprocess.DEVNULL, preexec_fn=enter, timeout=60)
    if tried.returncode or "it runs" not in tried.stdout:
        return "systemd-nspawn does not work: " + tried.stderr.strip()
    return None


class Machine:
    """One booted machine, from `with` to its end. `options`: more of systemd-nspawn(1)."""

    def __init__(self, init, options=()):
        self.init = init
        self.options = options

    def __enter__(self):
        lower = roots.layers(self.init)
        with contextlib.ExitStack() as stack:
            self.top = _folder()
            stack.callback(os.rmdir, self.top)
            enter = stack.enter_context(_own_control_group(os.path.basename(self.top)))
            self.console = stack.enter_context(tempfile.TemporaryFile())
            # `none` is a container: a program that cares for nothing is PID 1 and does not even reap what dies.
            command = ["--boot"] if self.init != "none" else ["--kill-signal=KILL", "/bin/sleep", "infinity"]
            self.holder = subprocess.Popen(_isolated(self.top, lower, [*self.options, *command]), stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console,
                                           preexec_fn=enter, start_new_session=True, env=_ENVIRONMENT)
            stack.callback(self._kill)
            self.leader = None
            self._boot()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _kill(self):
        everything = [int(child) for child in _children(self.holder.pid)]
        self.holder.kill()
        self.holder.wait()
        for pid in [*everything, self.leader]:
            if pid:
                _wait(lambda pid=pid: not os.path.exists(f"/proc/{pid}/root/"), 30, "end of the machine")

    def _boot(self):
        old = self.leader

        def leader():
            if self.holder.poll() is not None:
                raise RuntimeError("the machine has ended: " + self.output())
            found = _leader(self.holder.pid)
            return found if found != old else None

        self.leader = _wait(leader, 60, "first process", self.output)
        _wait(lambda: self._name() == _PID1[self.init] and self.call(["sh", "-c", _BOOTED[self.init]]).returncode == 0, 60,
              "booted machine", self.output)

    def _name(self):
        with contextlib.suppress(OSError):
            return pathlib.Path(f"/proc/{self.leader}/comm").read_text().strip()
        return ""

    def output(self):
        """What came out on the console."""
        self.console.seek(0)
        return self.console.read().decode(errors="replace")[-3000:]

    def reboot(self):
        """As an administrator does it: asks init, and comes back when everything has been started again."""
        self.call(["reboot"])
        self._boot()

    # Files, seen from outside.

    def path(self, inside):
        return pathlib.Path(f"/proc/{self.leader}/root") / inside.lstrip("/")

    def exists(self, inside):
        return os.path.lexists(self.path(inside))

    def read(self, inside):
        return self.path(inside).read_bytes()

    def write(self, inside, content, mode=0o644):
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)

    def owner(self, inside):
        status = self.path(inside).stat()
        return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)

    # Commands, run inside.

    def command(self, argv, env=None):
        variables = {"PATH": PATH, "HOME": "/root", "TERM": "dumb", "LANG": "C.UTF-8", **(env or {})}
        return ["nsenter", f"--target={self.leader}", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd", "env", "-i",
                *[f"{key}={value}" for key, value in variables.items()], *argv]

    def call(self, argv, env=None, timeout=120, stdin=b""):
        return subprocess.run(self.command(argv, env), input=stdin, capture_output=True, timeout=timeout)

    def run(self, script, args=(), env=None, name="/tmp/rport-installer.sh", timeout=120):
        """Runs the script's bytes from a file, as an administrator does."""
        self.write(name, script, 0o600)
        return self.call(["sh", name, *args], env, timeout)

    def processes(self, name):
        """process id (inside) -> user id, for living programs of that name."""
        found = {}
        listed = self.call(["ps", "-e", "-o", "pid=,uid=,stat=,comm="]).stdout.decode()
        for pid, uid, state, command in (line.split(None, 3) for line in listed.splitlines()):
            if command == name and not state.startswith("Z"):
                found[int(pid)] = int(uid)
        return found

    def user(self, name):
        """User id, or None."""
        for line in self.read("/etc/passwd").decode().splitlines():
            if line.split(":")[0] == name:
                return int(line.split(":")[2])
        return None

    # The service, as this init system sees it.

    def active(self, service="rport"):
        return self.call({"systemd": ["systemctl", "is-active", "--quiet", service], "openrc": ["rc-service", service, "status"],
                          "sysv": ["service", service, "status"]}[self.init]).returncode == 0

    def enabled(self, service="rport"):
        if self.init == "systemd":
            return self.call(["systemctl", "is-enabled", "--quiet", service]).returncode == 0
        if self.init == "openrc":
            return os.path.lexists(self.path(f"/etc/runlevels/default/{service}"))
        return any(self.path("/etc/rc2.d").glob(f"S??{service}"))

    # What changed.

    def _inside(self, folder):
        return pathlib.Path(f"/proc/{_children(self.holder.pid)[0]}/root{self.top}/{folder}")

    def snapshot(self):
        """path -> (kind, mode, uid, gid, content) of everything that was ever written to on this machine; None: removed."""
        upper, root = self._inside("upper"), self._inside("root")
        result = {}
        for folder, names, files in os.walk(upper):
            inside = os.path.relpath(folder, upper)
            inside = "" if inside == "." else "/" + inside
            names[:] = [name for name in names if not _ignored(f"{inside}/{name}")]
            for name in names + files:
                path = f"{inside}/{name}"
                if not _ignored(path):
                    result[path] = _state(root, path)
        return result

    def changes(self, before):
        """path -> (before, after); None is 'not there'."""
        after, pristine = self.snapshot(), self._inside("pristine")
        found = {}
        for path in sorted(before.keys() | after.keys()):
            old = before[path] if path in before else _state(pristine, path)
            new = after[path] if path in after else _state(pristine, path)
            if old != new:
                found[path] = (old, new)
        return found


def _state(root, path):
    full = str(root) + path
    return _describe(full) if os.path.lexists(full) else None


def _ignored(path):
    return any(path == prefix or path.startswith(prefix + "/") for prefix in NOISE)


def _children(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def _leader(holder):
    """The machine's PID 1: the first process below the holder that is number 1 one PID namespace further in."""
    waiting = list(_children(holder))
    while waiting:
        pid = waiting.pop(0)
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("NSpid:") and line.split()[-1] == "1" and pid not in _children(holder):
                    return int(pid)
        waiting += _children(pid)
    return None


def _remove_group(group):
    """Its processes are dead, but the kernel may take a moment to see it."""
    def removed():
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                return False
        return True

    _wait(removed, 30, f"removal of {group}")
