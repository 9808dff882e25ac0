# SPDX-License-Identifier: MIT
"""A throw-away root file system, in namespaces of its own, to run installer scripts in as root.

    with IsolatedRoot() as root:                  # an overlay over this machine's own root
        before = root.snapshot()
        result = root.run(script, ["-x"], shell="dash")
        self.assertEqual(root.changes(before), {})

Mount, PID and UTS namespaces are private; the network is the machine's, so that a test's server on 127.0.0.1 is reached.
Nothing that runs inside can change the machine: all writes go to a tmpfs that ends with the namespace, and so do all
processes. IsolatedRoot(kind="busybox") holds a static busybox and nothing else.

PAIRPORT_TOOLS names the programs that scripts find first in the overlay: "busybox" puts its applets, and a shell, before all
others, "gawk", "original-awk" or "mawk" that awk.
"""

import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import tempfile
import time
import unittest

# Those that the scripts promise to run in; Debian 13 has no yash.
EVERY_SHELL = ("dash", "bash", "mksh", "yash", "zsh")
TOOLS = os.environ.get("PAIRPORT_TOOLS", "")
SHELLS = ("busybox",) if TOOLS == "busybox" else tuple(filter(shutil.which, EVERY_SHELL))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Not part of the machine's lasting state, or written by the useradd of Debian as a back-up of its own.
IGNORED = ("/proc", "/sys", "/dev", "/run", "/tmp", "/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-",
           "/etc/subuid-", "/etc/subgid-", "/etc/.pwd.lock", "/var/lib/dpkg", "/var/log/dpkg.log", "/var/cache", "/var/log/apt",
           "/var/lib/apt", "/var/log/faillog", "/var/log/lastlog")

HIDDEN = ("/etc/rport", "/var/lib/rport", "/var/log/rport", "/etc/machine-id")

# Programs that the scripts look for and that are no part of every Debian.
HIDDEN_TOOLS = ("rport", "tacoscript", "rpm", "dnf", "yum", "zypper", "apk", "opkg", "restorecon")

# A process costs some milliseconds, and there are hundreds of roots: what Python can do from outside is not done here.
_SETUP = r"""
set -eu
base=$1 kind=$2 busybox=$3 tools=$4 like=$5
shift 5
mount -t tmpfs -o mode=755 tmpfs "$base"
mkdir "$base/upper" "$base/work" "$base/root"
root=$base/root
if [ -n "$like" ] && [ "$kind" = busybox ]; then
  cp -ax "$like/root/." "$root"
  mount -t proc proc "$root/proc"
elif [ "$kind" = busybox ]; then
  mkdir "$root/bin" "$root/etc" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp" "$root/var" "$root/usr" \
    "$root/usr/bin" "$root/usr/local" "$root/root" "$root/var/lib" "$root/var/log"
  cp "$busybox" "$root/bin/busybox"
  # One process for all applets. It asks /proc for its own name.
  mount -t proc proc "$root/proc"
  chroot "$root" /bin/busybox --install -s /bin
  rm -f "$root/bin/addgroup" "$root/bin/adduser" "$root/bin/deluser"
  # Applets that BusyBox has and Debian's build of it lacks.
  printf '#!/bin/sh\nfor name; do :; done\necho "$name:x:900:" >>/etc/group\n' >"$root/bin/addgroup"
  printf '#!/bin/sh\nfor name; do :; done\necho "$name:x:900:900::$5:/bin/false" >>/etc/passwd\n' >"$root/bin/adduser"
  printf '#!/bin/sh\nsed -i "/^$1:/d" /etc/passwd /etc/group\n' >"$root/bin/deluser"
  chmod 755 "$root/bin/addgroup" "$root/bin/adduser" "$root/bin/deluser"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"
  printf 'root:x:0:\n' >"$root/etc/group"
  printf 'NAME="Small"\nID=small\n' >"$root/etc/os-release"
else
  [ -z "$like" ] || cp -a "$like/upper/." "$base/upper"
  mount -t overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" overlay "$root"
  mount -t proc proc "$root/proc"
  if [ -z "$like" ]; then
    cd "$root"
    rm -rf etc/rport var/lib/rport var/log/rport "$@"
    cd /
    case $tools in
      '') ;;
      # Not those that stand for a whole package manager, nor what sets up the tests, nor bigger programs of the same name.
      busybox)
        chroot "$root" "$busybox" --install -s /usr/local/sbin
        (cd "$root/usr/local/sbin" && rm -f busybox dpkg* rpm* mount umount ip init wget nologin)
        ;;
      *) ln -s "$(command -v "$tools")" "$root/usr/local/sbin/awk" ;;
    esac
  fi
fi
[ -n "$like" ] || echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs tmpfs "$root/run"
mount --rbind /dev "$root/dev"
mount --rbind -o ro /sys "$root/sys"
: >"$base/ready"
exec cat # until the test ends, however it does
"""


def unavailable():
    """Why this machine cannot isolate, or None."""
    if os.geteuid() != 0:
        return "not root"
    for tool in ("unshare", "nsenter", "mount"):
        if not shutil.which(tool):
            return f"no {tool}"
    probe = subprocess.run(["unshare", "-m", "-p", "-u", "-f", "--propagation", "private", "sh", "-c",
                            "mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w /mnt/m && "
                            "mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w overlay /mnt/m"],
                           capture_output=True, text=True)
    return None if probe.returncode == 0 else "namespaces or overlayfs are not available: " + probe.stderr.strip()


def require_isolation():
    reason = unavailable()
    if reason:
        raise unittest.SkipTest("SKIPPED: cannot isolate a root file system here: " + reason)


def busybox():
    """A busybox that needs no libraries (Debian: busybox-static)."""
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.path.exists(path):
            linked = subprocess.run(["ldd", path], capture_output=True, text=True)
            if "not a dynamic executable" in linked.stderr + linked.stdout or "statically" in linked.stdout:
                return path
    return None


class IsolatedRoot:
    """`like`: another root of that kind, in which nothing runs, whose files (not those in /tmp and /run) are in this one, too."""

    def __init__(self, kind="host", like=None):
        self.kind = kind
        self.like = like

    def __enter__(self):
        source = ""
        if self.kind != "busybox" and TOOLS not in ("", "busybox") and not shutil.which(TOOLS):
            raise unittest.SkipTest(f"SKIPPED: no {TOOLS} (Debian package {TOOLS})")
        if "busybox" in (self.kind, TOOLS):
            source = busybox()
            if not source:
                raise unittest.SkipTest("SKIPPED: no static busybox (Debian package busybox-static)")
        # Whatever this machine has installed, the scripts find of these only what a test puts there.
        hidden = [f"{folder[1:]}/{tool}" for folder in PATH.split(":") for tool in HIDDEN_TOOLS]
        self.base = tempfile.mkdtemp(prefix="pairport-root-")
        self.holder = subprocess.Popen(
            ["unshare", "-m", "-p", "-u", "-f", "--kill-child", "--propagation", "private", "sh", "-c", _SETUP, "sh", self.base,
             self.kind, source, TOOLS, str(self.like.top) if self.like else "", *hidden], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while True:
            self.init = self._init_pid()
            if self.init and os.path.exists(f"/proc/{self.init}/root{self.base}/ready"):
                break
            if self.holder.poll() is not None or time.monotonic() > deadline:
                self.holder.kill()  # what it says ends with it
                raise RuntimeError("isolated root: " + self.holder.stderr.read().decode())
            time.sleep(0.01)
        self.top = pathlib.Path(f"/proc/{self.init}/root{self.base}")
        self.root = self.top / "root"
        if self.kind != "busybox":
            for name in (*EVERY_SHELL, *filter("busybox".__eq__, [TOOLS])):
                folder = self.path(f"/tmp/shells/{name}")
                folder.mkdir(parents=True)
                program = source if name == "busybox" else shutil.which(name)
                if program:
                    (folder / "sh").symlink_to(program)
        return self

    def _init_pid(self):
        try:
            children = pathlib.Path(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdin.close()
        self.holder.stderr.close()
        deadline = time.monotonic() + 10
        while os.path.exists(f"/proc/{self.init}/root/") and time.monotonic() < deadline:
            time.sleep(0.01)
        os.rmdir(self.base)

    # Files, seen from outside.

    def path(self, inside):
        return self.root / inside.lstrip("/")

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
        env = "/bin/env" if self.kind == "busybox" else "/usr/bin/env"  # that of BusyBox runs its own applets, whatever the PATH says
        return ["nsenter", f"--target={self.init}", "--mount", "--pid", "--uts", "--", "chroot", f"{self.base}/root", env, "-i",
                *[f"{key}={value}" for key, value in variables.items()], *argv]

    def call(self, argv, env=None, timeout=120, stdin=b""):
        return subprocess.run(self.command(argv, env), input=stdin, capture_output=True, timeout=timeout)

    def popen(self, argv, env=None, **options):
        return subprocess.Popen(self.command(argv, env), **options)

    def shell(self, shell):
        return "/bin/sh" if self.kind == "busybox" else f"/tmp/shells/{shell}/sh"

    def run(self, script, args=(), shell=SHELLS[0], env=None, name="/tmp/rport-installer.sh", timeout=120):
        """Runs the script's bytes from a file, as an administrator does."""
        self.write(name, script, 0o600)
        return self.call([self.shell(shell), name, *args], env, timeout)

    def processes(self, name):
        """Ids (outside) of processes of this namespace whose program has that name."""
        space = os.readlink(f"/proc/{self.init}/ns/pid")
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if os.readlink(f"/proc/{entry}/ns/pid") == space and \
                            pathlib.Path(f"/proc/{entry}/comm").read_text().strip() == name:
                        os.readlink(f"/proc/{entry}/exe")  # not for a zombie
                        found.append(int(entry))
                except OSError:
                    pass
        return found

    # What changed.

    def snapshot(self):
        """path -> (kind, mode, uid, gid, content) of everything that can differ from the start."""
        top = self.root if self.kind == "busybox" else self.top / "upper"
        result = {}
        for folder, names, files in os.walk(top):
            inside = "/" + os.path.relpath(folder, top)
            inside = "" if inside == "/." else inside
            names[:] = [n for n in names if not _ignored(f"{inside}/{n}")]
            for name in names + files:
                if not _ignored(f"{inside}/{name}"):
                    result[f"{inside}/{name}"] = _describe(os.path.join(folder, name))
        return result

    def changes(self, before):
        """path -> (before, after); None is 'not there'. Folders that merely were copied up by the overlay do not count."""
        after = self.snapshot()
        found = {}
        for path in sorted(before.keys() | after.keys()):
            old, new = self._seen(path, before.get(path)), self._seen(path, after.get(path))
            if old != new:
                found[path] = (old, new)
        return found

    def _seen(self, path, state):
        """What a program sees at the path: where the upper layer has nothing, the machine's own file shows through."""
        if state == "whiteout":
            return None
        if state is None and self.kind != "busybox" and os.path.lexists(path) and not path.startswith(HIDDEN):
            return _describe(path)
        return state


def _ignored(path):
    return any(path == prefix or path.startswith(prefix + "/") for prefix in IGNORED)


def _describe(path):
    status = os.lstat(path)
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return "whiteout"
    if stat.S_ISDIR(status.st_mode):
        return ("folder", mode, status.st_uid, status.st_gid, None)
    if stat.S_ISLNK(status.st_mode):
        return ("link", 0, status.st_uid, status.st_gid, os.readlink(path))
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            return ("file", mode, status.st_uid, status.st_gid, hashlib.sha256(file.read()).hexdigest())
    return ("other", mode, status.st_uid, status.st_gid, None)
