# SPDX-License-Identifier: MIT
"""Starts servers and clients for the benchmarks, each on a core of its own, and says what they cost."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
HERE = pathlib.Path(__file__).resolve().parent
CURL = "curl/7.88.1"
POWERSHELL = "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682"


def say(text):
    print(text, flush=True)


def read(path):
    try:
        return pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def machine():
    model = re.search(r"model name\s*:\s*(.*)", read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+)", read("/proc/meminfo"))
    system = re.search(r'PRETTY_NAME="(.*)"', read("/etc/os-release"))
    return {
        "cpu": model.group(1) if model else "unknown",
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory.group(1)) / 2**20, 1) if memory else None,
        "kernel": os.uname().release,
        "system": system.group(1) if system else "unknown",
        "virtual": "hypervisor" in read("/proc/cpuinfo"),
    }


def commit():
    git = lambda *words: subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=False).stdout.strip()
    name = git("rev-parse", "--short=12", "HEAD")
    # The results themselves do not make a difference.
    return name + ("+changes" if git("status", "--porcelain", "--", ":/", ":!/bench/results") else "")


class Cores:
    """One core for the server under test, another for clients and this program."""

    def __init__(self, server=None, client=None):
        self.allowed = allowed = sorted(os.sched_getaffinity(0))
        self.server = allowed[0] if server is None else server
        self.client = allowed[-1] if client is None else client
        if self.server == self.client:
            raise SystemExit("the end-to-end benchmarks need two cores: one for the server, one for the client")
        os.sched_setaffinity(0, {self.client})
        self.softirq_threads = softirq_threads()


def family(pid):
    """The process and its descendants."""
    pids = [pid]
    for found in pids:
        for task in pathlib.Path(f"/proc/{found}/task").glob("*"):
            pids += [int(child) for child in read(task / "children").split()]
    return pids


def cpu_of(pids):
    """CPU time of processes so far: nanoseconds in total, ticks of user and system time, nanoseconds of waiting for a core."""
    total = user = system = waited = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*"):
            times = read(task / "schedstat").split()
            if times:
                total += int(times[0])
                waited += int(times[1])
        fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if fields:
            user += int(fields[11])
            system += int(fields[12])
    return {"total_ns": total, "user_ticks": user, "system_ticks": system, "waited_ns": waited}


def core_times(core):
    fields = re.search(rf"^cpu{core} (.*)$", read("/proc/stat"), re.M).group(1).split()
    user, nice, system, _, _, irq, softirq, steal = (int(field) / TICK for field in fields[:8])
    return {"busy": user + nice + system + irq + softirq, "steal": steal}


def softirq_threads():
    """The kernel's thread that, on each core, handles packets when there are too many to do it on the side."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        name = re.fullmatch(r"ksoftirqd/(\d+)\n", read(process / "comm"))
        if name:
            found[int(name.group(1))] = int(process.name)
    return found


class Watch:
    """What happens on the two cores meanwhile: CPU time of the server, and whether somebody else disturbed."""

    def __init__(self, cores, pids):
        self.cores = cores
        self.pids = pids
        self.begin = time.monotonic()
        self.before = self._state()

    def _state(self):
        own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        softirq = {core: cpu_of([pid])["total_ns"] / 1e9 for core, pid in self.cores.softirq_threads.items()}
        return {"server": cpu_of(self.pids), "client": own, "softirq": softirq, "server_core": core_times(self.cores.server),
                "client_core": core_times(self.cores.client)}

    def end(self):
        after = self._state()
        seconds = time.monotonic() - self.begin
        server = {key: after["server"][key] - self.before["server"][key] for key in after["server"]}
        client = after["client"] - self.before["client"]
        change = lambda core, key: after[core][key] - self.before[core][key]
        # Packets are our own doing, whoever handles them.
        packets = lambda core: after["softirq"].get(core, 0) - self.before["softirq"].get(core, 0)
        foreign = (change("server_core", "busy") - server["total_ns"] / 1e9 - packets(self.cores.server),
                   change("client_core", "busy") - client - packets(self.cores.client))
        steal = (change("server_core", "steal"), change("client_core", "steal"))
        return {"seconds": seconds, "cpu_ns": server["total_ns"], "user_ticks": server["user_ticks"],
                "system_ticks": server["system_ticks"], "waited_ns": server["waited_ns"], "client_cpu_s": client,
                "foreign_share": max(0, *foreign) / seconds, "steal_share": max(steal) / seconds}


def raw_get(port, target, user_agent=CURL):
    """Head and body of an answer, as bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {user_agent}\r\nAccept: */*\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536) or _gone()
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"\r\nContent-Length: (\d+)", head, re.I).group(1))
        while len(body) < length:
            body += connection.recv(65536) or _gone()
    return head + b"\r\n\r\n", body


def _gone():
    raise RuntimeError("the server closed the connection in the middle of an answer")


def deposit(port, number=0):
    """A deposit; its code."""
    body = json.dumps({
        "connect_url": f"https://rport.example.com:443/path-of-a-tenant/{number:033d}",
        "fingerprint": ":".join(f"{(number + i) % 256:02x}" for i in range(16)),
        "client_id": f"client-of-an-example{number:010d}",
        "password": f"correct-horse-battery-staple-{number:011d}"})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request("POST", "/", body=body, headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    if answer.status != 200:
        raise RuntimeError(f"deposit refused: {answer.status} {text}")
    return json.loads(text)["pairing_code"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server under test, pinned to the server's core. A context manager."""

    def __init__(self, name, bench):
        self.name = name
        self.bench = bench
        self.folder = tempfile.TemporaryDirectory(prefix="pairport-bench-")
        self.targets = {}
        self.scheme = "http"
        self.process = None
        self.port = None

    def path(self, name):
        return pathlib.Path(self.folder.name) / name

    def write(self, name, data):
        self.path(name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return str(self.path(name))

    def start(self, command, ready=None, **options):
        """`ready`: a pattern with the port, looked for in the output; without it the port must be known."""
        cores = options.get("cores") or {self.bench.cores.server}
        log = self.path("output")
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, stdin=options.get("stdin", subprocess.DEVNULL), stdout=output, stderr=output,
                                            start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        deadline = time.monotonic() + 30
        while True:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start:\n{read(log)}")
            if ready:
                found = re.search(ready, read(log))
                if found:
                    self.port = int(found.group(1))
                    break
            else:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    break
            time.sleep(0.01)
        self.pids = family(self.process.pid)

    def before_turn(self):
        """For what does not last."""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()


class Pairport(Server):
    def __init__(self, bench, name="pairport", tls=None):
        super().__init__(name, bench)
        self.tls = tls
        self.begin()

    def begin(self):
        """Starts with nothing but one deposit."""
        address = '["http://127.0.0.1:0", "https://127.0.0.1:0"]' if self.tls else '"127.0.0.1:0"'
        secure = f'  tls_cert = "{self.tls[0]}"\n  tls_key = "{self.tls[1]}"' if self.tls else ""
        config = self.write("pairport.conf", f"""
[server]
  address = {address}
  url = "https://pairing.example.com"
{secure}
[pairing]
  ttl = "2h"
  max_deposits = 20000000
  max_memory = "12G"
[limits]
  deposits_per_second = 0
  network_share = 0
  misses_per_second = 0
""")
        self.start([str(self.bench.program("pairport")), "-c", config], r"listening on http://127\.0\.0\.1:(\d+)")
        self.codes = [deposit(self.port, number) for number in (1, 2)]
        self.targets = {
            "installer": self.write("installer", f"/{self.codes[0]}\n"),
            "update": self.write("update", "/update\n"),
            "miss": self.write("miss", "".join(f"/{code}\n" for code in missing_codes())),
        }
        if self.tls:
            found = re.search(r"listening on https://127\.0\.0\.1:(\d+)", read(self.path("output")))
            self.port, self.scheme = int(found.group(1)), "https"

    def fresh(self):
        self.stop()
        self.begin()

    def fill(self, count):
        """Puts deposits in; installers are then asked for by the codes of many of them."""
        codes = self.path("codes")
        result = self.bench.load(self, ["--deposits", "--count", str(count), "--connections", "16", "--pipeline", "16",
                                        "--codes", str(codes)])
        if result["ok"] != count:
            raise RuntimeError(f"{count} deposits were sent, {result['ok']} accepted: {result['statuses']}")
        self.targets["installer"] = str(codes)
        return result


def missing_codes():
    # Of the right form, and never drawn: 0 is not in the alphabet of codes.
    return [f"zzzzz0{number:04d}" for number in range(10000)]


class Floor(Server):
    """The bare floor, with the bytes of an answer of the service in as many pieces."""

    def __init__(self, bench, head, body, other_body, closes=False):
        super().__init__("floor", bench)
        pieces = [len(head), *shared_ends(body, other_body)]
        answer = self.write("answer", head + body)
        options = ["--close"] if closes else []
        self.start([str(bench.program("floor_server")), *options, answer, *map(str, pieces)], r"listening on http://127\.0\.0\.1:(\d+)")
        self.targets = dict.fromkeys(("installer", "update", "miss"), self.write("target", "/0000000\n"))


def shared_ends(one, other):
    """Sizes of what two bodies have in common at the beginning, what differs, and what they have in common at the end."""
    prefix = len(os.path.commonprefix([one, other]))
    suffix = len(os.path.commonprefix([one[prefix:][::-1], other[prefix:][::-1]]))
    return [size for size in (prefix, len(one) - prefix - suffix, suffix) if size]


class NginxServer(Server):
    """nginx with one worker, tuned for many kept connections."""

    def start_nginx(self, http, main=""):
        os.chmod(self.folder.name, 0o755)  # the worker is not root
        config = self.write("nginx.conf", f"""
{main}
daemon off;
worker_processes 1;
pid {self.path("nginx.pid")};
error_log {self.path("error.log")} crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  open_file_cache max=1000 inactive=1h;
  open_file_cache_valid 1h;
  client_body_temp_path {self.path("body")};
  proxy_temp_path {self.path("proxy")};
  fastcgi_temp_path {self.path("fastcgi")};
  uwsgi_temp_path {self.path("uwsgi")};
  scgi_temp_path {self.path("scgi")};
  default_type text/plain;
  {http}
}}
""")
        nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.start([nginx, "-c", config, "-e", str(self.path("error.log"))])
        # The master listens before there is a worker.
        while len(self.pids) < 2:
            time.sleep(0.01)
            self.pids = family(self.process.pid)


class Nginx(NginxServer):
    """nginx with files of the sizes of the service's answers, tuned for serving files."""

    def __init__(self, bench, heads, bodies, name="nginx", listen="backlog=4096"):
        super().__init__(name, bench)
        self.listen = listen
        (self.path("files")).mkdir()
        for name, body in bodies.items():
            self.write(f"files/{name}", body)
            self.targets[name] = self.write(f"{name}.target", f"/{name}\n")
        self.port = free_port()
        self._run({})
        # Heads of the same size, too.
        padding = {name: len(heads[name]) - len(raw_get(self.port, f"/{name}")[0]) - len("X-Padding: \r\n") for name in bodies}
        self.stop()
        self._run(padding)
        self.targets["installer"] = self.targets["linux"]

    def _run(self, padding):
        locations = "".join(f'location = /{name} {{ add_header X-Padding "{"x" * size}"; }}\n'
                            for name, size in padding.items() if size > 0)
        self.start_nginx(f"server {{ listen 127.0.0.1:{self.port} {self.listen}; root {self.path('files')};\n{locations}  }}")


def certificate(folder, kind=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """A certificate for tests, ECDSA unless `kind` says otherwise: the paths of it and of its key."""
    paths = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-keyout", paths[1],
                    "-out", paths[0], "-subj", "/CN=localhost", "-days", "30"], check=True, capture_output=True, timeout=60)
    return paths


class NginxModule(NginxServer):
    """nginx with the module: the service as a location of its own. With `tls`, on a second port."""

    def __init__(self, bench, tls=None):
        super().__init__("nginx, module", bench)
        self.port = free_port()
        tls_port = free_port()
        secure = f"listen 127.0.0.1:{tls_port} ssl backlog=4096; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};" if tls else ""
        self.start_nginx(f"""
  pairport_url https://pairing.example.com;
  pairport_ttl 2h;
  pairport_deposits_per_second 0;
  pairport_network_share 0;
  pairport_misses_per_second 0;
  server {{ listen 127.0.0.1:{self.port} backlog=4096; {secure} location / {{ pairport on; }} }}
""", f"load_module {bench.program('ngx_http_pairport_module.so').resolve()};")
        self.codes = [deposit(self.port, 1)]
        self.targets = {"installer": self.write("installer", f"/{self.codes[0]}\n")}
        if tls:
            self.port, self.scheme = tls_port, "https"


class Peer(Server):
    """A server that somebody else has written, with the routes of this one. {port} and {config} in its command are
    replaced: {config} is a file with the address in the form that the Go service and this one read."""

    def __init__(self, bench, name, command):
        super().__init__(name, bench)
        self.port = free_port()
        config = self.write("peer.conf", f"""
[server]
  address = "127.0.0.1:{self.port}"
  url = "http://127.0.0.1:{self.port}"
[limits]  # for another build of this service
  deposits_per_second = 0
  misses_per_second = 0
""")
        self.start(shlex.split(command.format(port=self.port, config=config)))
        # load_client knows the end of an answer by its length alone.
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request("GET", "/" + deposit(self.port), headers={"User-Agent": CURL})
            self.tells_length = connection.getresponse().length is not None
        self.targets = {
            "update": self.write("update", "/update\n"),
            "miss": self.write("miss", "".join(f"/{code}\n" for code in missing_codes())),
        }
        self.before_turn()

    def before_turn(self):
        # Its codes may live for minutes only, and no option may change that.
        self.targets["installer"] = self.write("installer", f"/{deposit(self.port)}\n")


class Bench:
    """What all benchmarks share: programs, cores, options."""

    def __init__(self, build, cores, options):
        self.build = pathlib.Path(build)
        self.cores = cores
        self.options = options

    def program(self, name):
        return self.build / "bin" / name

    def load(self, server, arguments, timeout=900):
        """Runs the load client to its end; what it says."""
        done = subprocess.run([str(self.program("load_client")), "--port", str(server.port), *arguments],
                              capture_output=True, text=True, timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"load_client {shlex.join(arguments)}: {done.stderr or done.returncode}")
        return json.loads(done.stdout)

    def wrk(self, server, seconds, *arguments):
        """Runs wrk to its end; answers and how many of them were no success."""
        done = subprocess.run(["wrk", "-t1", "-c64", f"-d{max(1, round(seconds))}s", "-s", str(HERE / "wrk.lua"),
                               f"{server.scheme}://127.0.0.1:{server.port}/", "--", *arguments],
                              capture_output=True, text=True, timeout=seconds + 60, check=False)
        return parse_wrk(done.stdout + done.stderr)


def parse_wrk(text):
    answers = re.search(r"(\d+) requests in ", text)
    if not answers or re.search(r"Socket errors: (?!connect 0, read 0, write 0, timeout 0)", text):
        raise RuntimeError(f"wrk failed:\n{text}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    return {"answers": int(answers.group(1)), "failed": int(failed.group(1)) if failed else 0}
