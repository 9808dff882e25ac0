# SPDX-License-Identifier: MIT
"""What TLS costs, next to nginx with OpenSSL: full and resumed handshakes, encrypted answers, and how handshakes scale
with cores."""

import json
import os
import re
import resource
import statistics
import subprocess
import time

from end_to_end import Scenario, disturbance, take_turns
from harness import CURL, POWERSHELL, NginxServer, Server, certificate, core_times, cpu_of, deposit, free_port, raw_get, say

KINDS = {"ecdsa": ("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("rsa:2048",)}


class TlsPairport(Server):
    def __init__(self, bench, kind, threads=1, cores=None):
        super().__init__("pairport", bench)
        chain, key = certificate(self.folder.name, KINDS[kind])
        config = self.write("pairport.conf", f"""
[server]
  address = ["https://127.0.0.1:0", "http://127.0.0.1:0"]
  url = "https://localhost"
  tls_cert = "{chain}"
  tls_key = "{key}"
  tls_threads = {threads}
[pairing]
  ttl = "2h"
[limits]
  deposits_per_second = 0
  network_share = 0
  misses_per_second = 0
  max_connections_per_address = 0
""")
        self.start([str(bench.program("pairport")), "-c", config], r"listening on https://127\.0\.0\.1:(\d+)", cores=cores)
        log = self.path("output").read_text()
        self.plain_port = int(re.search(r"listening on http://127\.0\.0\.1:(\d+)", log).group(1))
        self.paths = {"installer": "/" + deposit(self.plain_port)}


class TlsNginx(NginxServer):
    """nginx with OpenSSL and files of the sizes of the service's answers."""

    def __init__(self, bench, kind, bodies):
        super().__init__("nginx", bench)
        chain, key = certificate(self.folder.name, KINDS[kind])
        self.path("files").mkdir()
        for name, body in bodies.items():
            self.write(f"files/{name}", body)
        self.port = free_port()
        self.start_nginx(f"""server {{ listen 127.0.0.1:{self.port} ssl backlog=4096; root {self.path("files")};
    ssl_certificate {chain}; ssl_certificate_key {key};
    ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve X25519:prime256v1; ssl_session_tickets on;
  }}""")


def drive(bench, server, mode, seconds, version, *arguments, core=None):
    """Runs the client to its end, on the core of this program or on another; what it says."""
    core = bench.cores.client if core is None else core
    done = subprocess.run([str(bench.program("tls_client")), "--port", str(server.port), "--mode", mode, "--seconds", str(seconds),
                           "--tls", version, *arguments], capture_output=True, text=True, timeout=seconds + 60, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    if done.returncode != 0:
        raise RuntimeError(f"tls_client: {done.stderr}")
    return json.loads(done.stdout)


def checked(result, mode):
    """The turn's result; an error when it is not what was meant to be measured."""
    wrong = (result["broken"] or not result["answers"] or result["group"] != "X25519"
             or (mode == "full" and result["resumed"])
             # Every connection begins without a session.
             or (mode == "resumed" and result["resumed"] < 10 * result["full"])
             or (mode == "get" and set(result["statuses"]) != {"200"}))
    if wrong:
        raise RuntimeError(f"{mode}: {result}")
    return result


def turns(bench, mode, version, paths=None, agent=CURL):
    def turn(server, seconds):
        more = ["--target", paths[server.name], "--user-agent", agent] if paths else []
        return checked(drive(bench, server, mode, seconds, version, *more), mode)
    return turn


def versions(bench, server):
    """Those that the library behind the service has, the newest last."""
    return ["1.2", "1.3"] if drive(bench, server, "full", 0.2, "1.3")["full"] else ["1.2"]


def scenarios(bench, stack, results):
    start = stack.enter_context
    ours = {kind: start(TlsPairport(bench, kind)) for kind in KINDS}
    plain = ours["ecdsa"]
    path = plain.paths["installer"]
    bodies = {"linux": raw_get(plain.plain_port, path, CURL)[1], "windows": raw_get(plain.plain_port, path, POWERSHELL)[1]}
    others = {kind: start(TlsNginx(bench, kind, bodies)) for kind in KINDS}
    both = {kind: [ours[kind], others[kind]] for kind in KINDS}
    found = versions(bench, plain)
    results["tls"] = {"versions": found, "sizes": {name: len(body) for name, body in bodies.items()}}
    newest = found[-1]
    for version in found:
        yield Scenario(f"tls_full_{version}", f"full TLS {version} handshake, ECDSA P-256, X25519", both["ecdsa"],
                       turns(bench, "full", version))
    yield Scenario("tls_full_rsa", f"full TLS {newest} handshake, RSA-2048, X25519", both["rsa"], turns(bench, "full", newest))
    yield Scenario("tls_resumed", f"resumed TLS {newest} handshake", both["ecdsa"], turns(bench, "resumed", newest))
    for name, agent in (("linux", CURL), ("windows", POWERSHELL)):
        yield Scenario(f"tls_{name}", f"GET of a {name.capitalize()} installer over TLS {newest}, AES-128-GCM, {len(bodies[name]):,} bytes",
                       both["ecdsa"], turns(bench, "get", newest, {"pairport": path, "nginx": f"/{name}"}, agent))


def crowd(bench, kind, cores, client):
    """Full handshakes of many clients, on the core `client`, with a service that has so many cores, for one turn."""
    watched = sorted({*cores, client})
    # Two for each core, as the service takes for all of a machine.
    with TlsPairport(bench, kind, threads=2 * len(cores), cores=cores) as server:
        own = lambda: sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        packets = lambda: sum(cpu_of([bench.cores.softirq_threads[core]])["total_ns"] / 1e9 for core in watched
                              if core in bench.cores.softirq_threads)
        times = lambda key: sum(core_times(core)[key] for core in watched)
        state = lambda: {"server": cpu_of(server.pids)["total_ns"] / 1e9, "client": own(), "packets": packets(), "busy": times("busy"),
                         "steal": times("steal")}
        before, began = state(), time.monotonic()
        result = checked(drive(bench, server, "full", bench.options.seconds, "1.2", "--connections", "32", core=client), "full")
        after, seconds = state(), time.monotonic() - began
    change = {key: after[key] - before[key] for key in after}
    foreign = change["busy"] - change["server"] - change["client"] - change["packets"]
    figures = {"steal_share": change["steal"] / seconds / len(watched), "foreign_share": max(0, foreign) / seconds}
    return {"rate": result["answers"] / result["seconds"], "cores_used": change["server"] / seconds,
            "client_cores_used": change["client"] / seconds, **figures, "disturbed": disturbance(bench.options, figures)}


def scaling(bench, kind):
    """Handshakes per second on one core and on two. A third core is the client's in both. Where there is none, the client
    takes its part of those that the service has, in both again: it would otherwise have a core for itself in the first
    only. That comparison is made too, as `alone`."""
    first, client = bench.cores.server, bench.cores.client
    third = next((core for core in bench.cores.allowed if core not in (client, first)), None)
    second = client if third is None else third
    spare = bench.options.rounds if bench.options.repeat else 0
    rounds, thrown_away = [], []
    while len(rounds) < bench.options.rounds:
        measured = {"one": crowd(bench, kind, {first}, first if third is None else client),
                    "two": crowd(bench, kind, {first, second}, client)}
        if third is None:
            measured["alone"] = crowd(bench, kind, {first}, client)
        disturbed = next((each["disturbed"] for each in measured.values() if each["disturbed"]), None)
        if disturbed and spare:
            spare -= 1
            thrown_away.append(disturbed)
            continue
        rounds.append({**measured, "disturbed": disturbed,
                       "ratios": {name: measured["two"]["rate"] / measured[name]["rate"] for name in measured if name != "two"}})
    kept = sum(bool(each["disturbed"]) for each in rounds)
    say(f"  tls_scaling    {kind:<24} {statistics.median(each['one']['rate'] for each in rounds):.0f} handshakes/s on one core, "
        f"{statistics.median(each['ratios']['one'] for each in rounds):.2f} times as many on two"
        + (f"; {len(thrown_away)} disturbed rounds thrown away, {kept} kept" if thrown_away or kept else ""))
    return {"rounds": rounds, "client_has_a_core": third is not None, "thrown_away": thrown_away, "disturbed": kept}


def run(bench, results, stack, failure_noted):
    """Adds a table for each scenario."""
    with failure_noted(results, "tls"):
        if not bench.program("tls_client").exists():
            raise RuntimeError("there is no tls_client: libssl-dev was missing when this was configured")
        for scenario in scenarios(bench, stack, results):
            with failure_noted(results, scenario.name):
                results["scenarios"][scenario.name] = take_turns(bench, scenario)
    for kind in KINDS:
        with failure_noted(results, f"tls_scaling_{kind}"):
            results.setdefault("tls", {}).setdefault("scaling", {})[kind] = scaling(bench, kind)
