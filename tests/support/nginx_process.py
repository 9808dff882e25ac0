# SPDX-License-Identifier: MIT
"""Starts nginx with the module for a test, in place of the program:

    with Nginx(config='[pairing]\\nttl = "2s"\\n') as service: ...       # the same as with Pairport
    with Nginx(http="...", server="...", main="...") as service: ...     # more directives

The module is $PAIRPORT_NGINX_MODULE (set by ctest), else that of build/release. Both logs are in `log`, with everything
that nginx says from level info on; the access log is on, in its most talkative format.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import tomllib

from pairport_process import ROOT, Program


def module():
    return os.environ.get("PAIRPORT_NGINX_MODULE") or str(ROOT / "build" / "release" / "bin" / "ngx_http_pairport_module.so")


def program():
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def environment():
    preload = os.environ.get("PAIRPORT_NGINX_PRELOAD")
    if not preload:
        return None
    # nginx itself frees little of what it has at its end.
    return {**os.environ, "LD_PRELOAD": preload, "LSAN_OPTIONS": f"suppressions={ROOT}/tests/support/nginx.lsan:print_suppressions=0"}


def check_file(path):
    """nginx -t: the exit code and what it says."""
    done = subprocess.run([program(), "-t", "-c", path], capture_output=True, text=True, timeout=60, check=False, env=environment())
    return done.returncode, done.stderr


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def quoted(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def directives(config):
    """The configuration file of the program as directives of the module."""
    tables = tomllib.loads(config)
    lines = []
    static = tables.pop("static-deposit", None)
    if static:
        lines.append("pairport_static_deposit " + " ".join(
            quoted(static[key]) for key in ("code", "connect_url", "fingerprint", "client_id", "password")) + ";")
    tables.get("server", {}).pop("address", None)
    for name, digest in tables.get("installer", {}).pop("sha256", {}).items():
        lines.append(f"pairport_sha256 {quoted(name)} {quoted(digest)};")
    for table in tables.values():
        lines += [f"pairport_{key} {quoted(value)};" for key, value in table.items()]
    return "\n".join(lines)


# error_page: what nginx refuses before it knows the location.
SERVER = """
    error_page 400 405 413 414 500 501 503 505 /pairport-error;
    location / { pairport on; }
    location = /pairport-error { internal; pairport on; }
"""


class Nginx(Program):
    """One nginx with one worker. `config` is that of Pairport; `main`, `http` and `server` are directives for these blocks,
    `server` in place of a location with pairport."""

    def __init__(self, config="", main="", http="", server=SERVER, listen="", events="", level="info", preexec=None,
                 sendfile="sendfile on; tcp_nopush on;"):
        super().__init__(config)
        self.preexec = preexec
        self.sendfile = sendfile
        self.events = events
        self.main, self.http, self.server, self.listen, self.level = main, http, server, listen, level

    def write(self):
        """The file for nginx, from what this object holds now."""
        settings = directives(self.config)
        if "pairport_url" not in settings + self.http + self.server:
            settings += f"\npairport_url http://127.0.0.1:{self.port};"
        folder = self.folder.name
        workers = "" if "worker_processes" in self.main else "worker_processes 1;"
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"""
load_module {module()};
daemon off;
{workers}
pid {folder}/nginx.pid;
error_log {folder}/error.log {self.level};
{self.main}
events {{ worker_connections 2000; {self.events} }}
http {{
  access_log {folder}/access.log;
  {self.sendfile}
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{settings}
{self.http}
  server {{
    listen 127.0.0.1:{self.port} {self.listen};
{self.server}
  }}
}}
""")
        return path

    def prepare(self):
        self.folder = tempfile.TemporaryDirectory(prefix="pairport-nginx-")
        self.port = free_port()
        return self

    def check(self):
        """nginx -t: the exit code and what it says."""
        self.prepare()
        try:
            return check_file(self.write())
        finally:
            self.folder.cleanup()

    def __enter__(self):
        self.prepare()
        for attempt in range(5):
            # To files: nginx waits for who reads its standard error, and here nobody does all the time.
            path = os.path.join(self.folder.name, "error.log")
            with open(path, "ab") as file:
                self.process = subprocess.Popen([program(), "-e", path, "-c", self.write()], stdin=subprocess.DEVNULL,
                                                stdout=subprocess.DEVNULL, stderr=file, env=environment(), preexec_fn=self.preexec)
            self.process.stderr = open(path, "rb")  # pylint: disable=consider-using-with
            try:
                self._await_ready()
                return self
            except RuntimeError:
                self.process.wait(30)
                self.process.stderr.close()
                if b"Address already in use" not in self.log or attempt == 4:
                    self.folder.cleanup()
                    raise
                self.port = free_port()  # somebody was faster
                self.log = b""
        return self

    def _await_ready(self, seconds=60, workers=1):
        """Ready is what the worker says about its memory."""
        deadline = time.monotonic() + seconds
        while self.log.count(b"memory for credentials: ") + self.log.count(b"answer 503") < workers:
            if not self._read_log(deadline - time.monotonic()):
                raise RuntimeError("nginx did not start:\n" + self.log.decode(errors="replace"))
        self.address = f"http://127.0.0.1:{self.port}"
        self.url = self.address

    def _read_log(self, seconds):
        """What has been written since the last time; false when nothing is to be expected any more."""
        deadline = time.monotonic() + seconds
        while True:
            ended = self.process.poll() is not None
            data = self.process.stderr.read()
            self.log += data
            if data:
                return True
            if ended or time.monotonic() >= deadline:
                return False
            time.sleep(0.01)

    def check_log(self):
        super().check_log()
        for sign in (b"exited on signal", b"[alert]", b"ERROR: AddressSanitizer", b"ERROR: LeakSanitizer", b"runtime error:"):
            if sign in self.log:
                raise AssertionError(self.log.decode(errors="replace"))

    def worker(self):
        """The process id of the newest worker."""
        return int(re.findall(rb"start worker process (\d+)", self.log)[-1])

    def reload(self):
        """Until the new worker has a service."""
        ready = self.log.count(b"memory for credentials: ")
        self.process.send_signal(signal.SIGHUP)
        self._await_ready(workers=ready + 1)

    def stop(self, seconds=30):
        code = super().stop(seconds)
        path = os.path.join(self.folder.name, "access.log")
        if os.path.exists(path):
            with open(path, "rb") as file:
                self.log += file.read()
        return code
