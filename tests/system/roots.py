# SPDX-License-Identifier: MIT
"""Root file systems made of Debian packages, one for each init system, cached below the build folder.

Each is a stack of folders for overlayfs, lowest last: what every machine has, and on top of it an init system. Nothing ever
writes to them again: a machine (machine.py) has a layer of its own on top. A change of the lists below, of the Debian release
or of the programs below builds them anew.
"""

import fcntl
import hashlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = pathlib.Path(os.environ.get("PAIRPORT_BUILD", str(HERE.parents[1] / "build"))) / "system-roots"

BASE = ("curl", "iproute2", "procps", "sudo")
INITS = {
    "systemd": ("systemd", "systemd-sysv"),
    "openrc": ("sysvinit-core", "openrc"),
    "sysv": ("sysvinit-core", "sysv-rc", "orphan-sysvinit-scripts"),
    "none": (),
}

# Both programs run in a mount namespace of their own: whatever they mount ends with them.
_DEBOOTSTRAP = r"""
set -eu
exec debootstrap --variant=minbase --include="$1" "$2" "$3" "$4"
"""
# Packages must not start anything here; afterwards the root knows no address on the network any more.
_LAYER = r"""
set -eu
base=$1 layer=$2 work=$3 mirror_packages=$4
mkdir "$work" "$work/upper" "$work/work" "$work/root"
root=$work/root
mount -t overlay -o "lowerdir=$base,upperdir=$work/upper,workdir=$work/work" overlay "$root"
mount -t proc proc "$root/proc"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
if [ -n "$mirror_packages" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  chroot "$root" apt-get -q update
  # shellcheck disable=SC2086
  chroot "$root" apt-get -q -y --no-install-recommends install $mirror_packages
  chroot "$root" apt-get clean
  rm "$root/usr/sbin/policy-rc.d"
fi
rm -rf "$root/var/lib/apt/lists" "$root/etc/resolv.conf"
mkdir -p "$root/var/lib/apt/lists/partial"
: >"$root/etc/apt/sources.list"
echo test-machine >"$root/etc/hostname"
echo '127.0.0.1 localhost test-machine' >"$root/etc/hosts"
if [ -f "$root/etc/inittab" ]; then
  # No terminals to log in at; instead a file that says that the runlevel has been reached.
  sed -i '/getty/d' "$root/etc/inittab"
  echo 'ok:2345:once:/usr/bin/touch /run/booted' >>"$root/etc/inittab"
  # The network is shared with the machine that runs the tests: never switch it off. (It could not: there is no CAP_NET_ADMIN.)
  echo 'NETDOWN=no' >>"$root/etc/default/halt"
fi
umount "$root/proc" "$root"
mv "$work/upper" "$layer"
"""


class Unavailable(Exception):
    """This machine cannot build or run the roots; the text says why."""


def release():
    """Code name of the Debian release, of this machine and of the roots."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME", "")


def _mirror():
    """Where this machine's own apt has the release from."""
    listed = subprocess.run(["apt-get", "indextargets", "--format", "$(CREATED_BY)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)"],
                            capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        created_by, codename, component, address = line.split("|", 3)
        if (created_by, codename, component) == ("Packages", release(), "main"):
            return address.rstrip("/")
    raise Unavailable(f"apt has no source for Debian {release() or '(unknown release)'} main")


def _environment():
    proxy = subprocess.run(["sh", "-c", "eval \"$(apt-config shell P Acquire::http::Proxy)\"; printf %s \"${P:-}\""],
                           capture_output=True, text=True).stdout
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive",
            **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
            **({"http_proxy": proxy} if proxy and proxy != "DIRECT" else {})}


def _reach(mirror, environment):
    """A mirror that does not answer is a machine without network, which cannot build; everything after that is an error."""
    address = f"{mirror}/dists/{release()}/Release"
    proxies = {"http": environment["http_proxy"]} if "http_proxy" in environment else None
    try:
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler(proxies)] if proxies else []))
        opener.open(address, timeout=20).close()
    except (OSError, urllib.error.URLError) as problem:
        raise Unavailable(f"no network: the package mirror of this machine does not answer ({problem}), and no root is cached") from problem


def _isolated(script, *arguments, log, environment):
    with open(log, "ab") as output:
        made = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
                               "sh", "-c", script, "sh", *arguments], stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, env=environment)
    if made.returncode:
        text = log.read_text(errors="replace")
        raise RuntimeError(f"a test root could not be built, see {log}:\n{text[-3000:]}")


def _key(packages):
    text = json.dumps([release(), packages, _DEBOOTSTRAP, _LAYER])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def missing():
    """Why this machine cannot have roots, or None."""
    if os.geteuid() != 0:
        return "not root"
    if platform.machine() != "x86_64":
        return "the stand-in packages are for x86_64"
    for tool, package in (("systemd-nspawn", "systemd-container"), ("debootstrap", "debootstrap"), ("unshare", "util-linux"),
                          ("nsenter", "util-linux"), ("setpriv", "util-linux"), ("apt-get", "apt")):
        if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"no {tool} (Debian package {package})"
    return None


def layers(init):
    """The folders for that init system, highest first. Builds what is not there."""
    reason = missing()
    if reason:
        raise Unavailable(reason)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        base = FOLDER / f"base-{_key(BASE)}"
        layer = FOLDER / f"{init}-{_key((BASE, INITS[init]))}"
        if not base.is_dir() or not layer.is_dir():
            mirror, environment = _mirror(), _environment()
            _reach(mirror, environment)
            if not base.is_dir():
                _forget("base")
                _isolated(_DEBOOTSTRAP, ",".join(BASE), release(), f"{base}.new", mirror, log=FOLDER / "base.log", environment=environment)
                os.rename(f"{base}.new", base)
            _forget(init)
            _isolated(_LAYER, str(base), str(layer), f"{layer}.new", " ".join(INITS[init]), log=FOLDER / f"{init}.log",
                      environment=environment)
            shutil.rmtree(f"{layer}.new")
        return [layer, base]


def _forget(name):
    """Older versions, and what an interrupted build left."""
    for path in FOLDER.glob(f"{name}-*"):
        shutil.rmtree(path)
    (FOLDER / f"{name}.log").unlink(missing_ok=True)
