# SPDX-License-Identifier: MIT
"""Runs the benchmarks and writes what they measured: script/bench, or the CMake target `bench`."""

import argparse
import json
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time

import end_to_end
import report
from harness import Bench, Cores, commit, machine, say

HERE = pathlib.Path(__file__).resolve().parent
MICRO = ("store", "render", "connection", "transmitter")
END_TO_END = ("get_linux", "get_windows", "update", "miss", "new_connection", "one_shot", "late_request", "deposit", "mix", "pipelined", "pipelined_miss", "latency", "nginx_module", "nginx_tls", "expiry", "tls")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="script/bench", description="Benchmarks of pairport, against a bare floor, nginx and others.")
    parser.add_argument("--quick", action="store_true", help="two minutes, to see that it works; the figures are rough")
    parser.add_argument("--only", action="append", metavar="NAME", choices=[*MICRO, *END_TO_END], default=[],
                        help="only this benchmark; repeatable: " + " ".join((*MICRO, *END_TO_END)))
    parser.add_argument("--peer", action="append", metavar="NAME=COMMAND", default=[],
                        help="another server with the same routes; {port} and {config} in COMMAND are replaced")
    parser.add_argument("--client", choices=["wrk", "load_client"], default="wrk", help="who sends GETs over kept connections (default wrk; "
                        "load_client keeps the server busier when answers are large)")
    parser.add_argument("--rounds", type=int, help="turns of each server (default 5)")
    parser.add_argument("--seconds", type=float, help="seconds a turn (default 3; wrk knows whole seconds only)")
    parser.add_argument("--live", type=int, help="live deposits of `pairport, full` (default 5,000,000)")
    parser.add_argument("--population", type=int, help="live deposits while others expire (default 10,000,000)")
    parser.add_argument("--crowd", type=int, help="how many of them expire within one second (default 1,000,000)")
    parser.add_argument("--no-real-time", action="store_false", dest="real_time",
                        help="expiry: leave the server at ordinary priority, where other threads may hold its core for milliseconds")
    parser.add_argument("--max-pause", type=float, default=2000,
                        help="expiry: a round whose client, which never sleeps, stands still for longer counts as disturbed (default 2000 us)")
    parser.add_argument("--max-steal", type=float, default=0.01, help="a turn with more steal on a core counts as disturbed (default 0.01)")
    parser.add_argument("--max-foreign", type=float, default=0.05, help="... with more foreign CPU time (default 0.05)")
    parser.add_argument("--server-core", type=int, help="default: the first")
    parser.add_argument("--client-core", type=int, help="default: the last")
    parser.add_argument("--results", type=pathlib.Path, help="folder for tables and chart (default: bench/results, in the build folder "
                        "with --quick or --only); the figures of every turn are in the build folder always")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build" / "release", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    defaults = ({"rounds": 2, "seconds": 1, "live": 200_000, "population": 500_000, "crowd": 100_000} if options.quick else
                {"rounds": 5, "seconds": 3, "live": 5_000_000, "population": 10_000_000, "crowd": 1_000_000})
    for name, value in defaults.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    options.repeat = not options.quick
    options.wants = lambda *names: not options.only or any(name in options.only for name in names)
    if any("=" not in peer for peer in options.peer):
        parser.error("--peer takes NAME=COMMAND")
    options.peers = [tuple(peer.split("=", 1)) for peer in options.peer]
    if options.results is None:
        options.results = options.build / "bench-results" if options.quick or options.only else HERE / "results"
    return options


def as_typed(arguments):
    """The arguments of script/bench, which adds where the build is in front of them."""
    return arguments[2:] if arguments[:1] == ["--build"] else arguments


def estimate(options):
    """Minutes that this will take on a quiet machine."""
    seconds = {"store": 300, "render": 60, "connection": 30} if not options.quick else {"store": 2, "render": 3, "connection": 3}
    servers = 3.5 + len(options.peers)
    turns = [name for name in END_TO_END if name not in (*end_to_end.NGINX, "expiry", "tls")]
    seconds |= dict.fromkeys(turns, servers * options.rounds * (options.seconds + 0.3))
    seconds |= dict.fromkeys(end_to_end.NGINX, 2 * options.rounds * (options.seconds + 0.3))
    seconds["tls"] = 9 * 2 * options.rounds * (options.seconds + 0.3)
    seconds["expiry"] = 40 + 6 * options.rounds + options.population * 6e-6
    loading = options.live / 80_000 if options.wants(*turns) else 0
    return (loading + sum(each for name, each in seconds.items() if options.wants(name))) / 60


def run_micro(bench, name):
    program = bench.program(f"{name}_bench")
    if not program.exists():
        say(f"  {name}: there is no {program.name}")
        return []
    repeated = ["--benchmark_repetitions=5", "--benchmark_report_aggregates_only=true", "--benchmark_min_time=0.3"]
    if bench.options.quick:
        parts = [["--benchmark_min_time=0.02", "--benchmark_filter=-/[0-9]{6,}"]]
    elif name == "store":
        # A life of ten million deposits takes most of a minute, and has rounds of its own; in the map it takes two.
        parts = [["--benchmark_filter=store/life/"], ["--benchmark_filter=unordered_map/life/10{4,6}/"], ["--benchmark_filter=store/(insert|hit|miss)", *repeated],
                 ["--benchmark_filter=unordered_map/(insert|hit|miss)", "--benchmark_min_time=0.3"]]
    else:
        parts = [repeated]
    entries = []
    for part in parts:
        say(f"  {program.name} {shlex.join(part)}")
        done = subprocess.run([str(program), "--benchmark_format=json", *part], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{program.name}: {done.stderr}")
        for entry in json.loads(done.stdout)["benchmarks"]:
            if entry.get("error_occurred"):
                raise RuntimeError(f"{program.name}, {entry['name']}: {entry.get('error_message')}")
            if entry.get("aggregate_name", "median") == "median":
                entries.append(micro_entry(entry))
                say(f"  {entries[-1]['name']:<44} {entries[-1]['cpu_ns']:14,.1f} ns")
    return entries


def micro_entry(entry):
    nanoseconds = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[entry["time_unit"]]
    known = {"name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions", "repetition_index", "threads",
             "iterations", "real_time", "cpu_time", "time_unit", "aggregate_name", "aggregate_unit", "bytes_per_second", "label",
             "items_per_second"}
    # Where a benchmark times a part of itself, that is its figure.
    time_of = entry["real_time"] if "/manual_time" in entry["run_name"] else entry["cpu_time"]
    return {"name": entry["run_name"], "cpu_ns": time_of * nanoseconds,
            "counters": {key: value for key, value in entry.items() if key not in known}}


def write_results(results, options):
    """Tables and chart, and beside the build, where nobody commits it, every turn."""
    every_turn = options.build / "bench-results" / "latest.json"
    for path, text in ((every_turn, json.dumps(results, indent=1) + "\n"), (options.results / "latest.md", report.markdown(results)),
                       (options.results / "goals.md", report.goals_markdown(results)), (options.results / "latest.svg", report.chart(results))):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main():
    arguments = sys.argv[1:]
    options = parse(arguments)
    for program in ("wrk",) if options.wants(*END_TO_END) else ():
        if not shutil.which(program):
            raise SystemExit(f"{program} is missing: script/bench installs it")
    bench = Bench(options.build, Cores(options.server_core, options.client_core), options)
    results = {"date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "commit": commit(), "machine": machine(),
               "command": shlex.join(["script/bench", *as_typed(arguments)]), "cores": {"server": bench.cores.server, "client": bench.cores.client},
               "options": {name: getattr(options, name) for name in ("quick", "rounds", "seconds", "live", "population", "crowd", "client",
                                                                     "max_steal", "max_foreign")},
               "peers": [name for name, _ in options.peers], "micro": {}, "scenarios": {}, "failed": {}}
    began = time.monotonic()
    say(f"This takes about {max(1, round(estimate(options)))} minutes"
        + (", up to twice that when the machine is disturbed" if options.repeat else "")
        + f". Server on core {bench.cores.server}, client on core {bench.cores.client}.")
    for name in MICRO:
        if options.wants(name):
            say(f"== {name}")
            results["micro"][f"{name}_bench"] = run_micro(bench, name)
    if options.wants(*END_TO_END):
        say("== end to end")
        end_to_end.run(bench, results)
    results["minutes"] = round((time.monotonic() - began) / 60, 1)
    write_results(results, options)
    say("\n" + report.goals_table(report.goals(results)))
    say(f"{results['minutes']} minutes; written to {options.results}")
    return 1 if results["failed"] else 0


if __name__ == "__main__":
    # Told to end, it still ends the servers that it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
