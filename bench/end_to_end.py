# SPDX-License-Identifier: MIT
"""The end-to-end benchmarks: the real server on one core, driven from another, in turns with others."""

import contextlib
import http.client
import json
import os
import pathlib
import select
import socket
import statistics
import subprocess
import tempfile
import time

from harness import CURL, POWERSHELL, Floor, Nginx, NginxModule, Pairport, Peer, Watch, certificate, raw_get, say

# Requests per second while crowds of deposits expire: a light load, so that what is slow is not a queue.
LIGHT_RATE = 5000
# A round trip in a network that is not slow, and how many clients connect at a time.
LATE_SECONDS = 0.0005
LATE_CLIENTS = 8
NGINX = ("nginx_module", "nginx_tls")
THROUGHPUT = ("get_linux", "get_windows", "update", "miss", "new_connection", "one_shot", "late_request", "deposit", "mix", "pipelined", "pipelined_miss")


class Scenario:
    """`servers`: the servers that take turns. `turn(server, seconds)`: drives one, gives {"answers": n, ...}."""

    def __init__(self, name, title, servers, turn, before=None):
        self.name = name
        self.title = title
        self.servers = servers
        self.turn = turn
        self.before = before


def disturbance(options, figures):
    """Why a turn does not count; decided without a look at its result."""
    if figures["steal_share"] > options.max_steal:
        return f"steal {figures['steal_share']:.1%}"
    if figures["foreign_share"] > options.max_foreign:
        return f"foreign load {figures['foreign_share']:.1%}"
    return None


def pause(options, result):
    """Why a round does not count whose client stood still: it never sleeps and has a core for itself, so the machine has
    stopped it, and tells of that as steal only when it lasts. Decided without a look at the server's figures."""
    longest = result["client_longest_gap_us"]
    return f"the client stood still for {longest / 1000:.1f} ms" if longest > options.max_pause else None


def take_turns(bench, scenario):
    """Rounds of A B C A B C ...; a disturbed turn is repeated, up to a bound."""
    options = bench.options
    turns = {server.name: [] for server in scenario.servers}
    spare = options.rounds * len(scenario.servers) if options.repeat else 0
    thrown_away = []
    for _ in range(options.rounds):
        for server in scenario.servers:
            while True:
                if scenario.before:
                    scenario.before(server)
                server.before_turn()
                watch = Watch(bench.cores, server.pids)
                result = scenario.turn(server, options.seconds)
                figures = watch.end()
                reason = disturbance(options, figures)
                if not reason or spare == 0:
                    break
                spare -= 1
                thrown_away.append(reason)
            turn = {**figures, **result, "disturbed": reason}
            turn["cpu_us"] = figures["cpu_ns"] / 1000 / result["answers"]
            turns[server.name].append(turn)
    kept = sum(bool(turn["disturbed"]) for each in turns.values() for turn in each)
    for name, each in turns.items():
        cpu = statistics.median(turn["cpu_us"] for turn in each)
        p99 = [turn["latency_us"]["p99"] for turn in each if "latency_us" in turn]
        say(f"  {scenario.name:<14} {name:<24} {cpu:8.2f} us CPU per answer"
            + (f", p99 {statistics.median(p99):.0f} us" if p99 else ""))
    if thrown_away or kept:
        say(f"  {scenario.name:<14} {len(thrown_away)} disturbed turns thrown away, {kept} kept because there were too many")
    return {"title": scenario.title, "turns": turns, "thrown_away": thrown_away, "disturbed": kept}


def only_status(result, status):
    """The turn's result; an error when other answers were among them."""
    if result["broken"] or result["unanswered"] or set(result["statuses"]) != {str(status)}:
        raise RuntimeError(f"expected nothing but {status}: {result}")
    return result


def gets(bench, what, agent=CURL, failing=False):
    def turn(server, seconds):
        if bench.options.client == "load_client":
            result = bench.load(server, ["--seconds", str(seconds), "--targets", server.targets[what], "--user-agent", agent])
            result["failed"] = result["answers"] - result["ok"]
        else:
            result = bench.wrk(server, seconds, "get", server.targets[what], agent)
        # The floor answers 404 with the bytes of one; a peer may see a miss in its own way.
        if result["failed"] != (result["answers"] if failing else 0) and not (failing and isinstance(server, Peer)):
            raise RuntimeError(f"{server.name}, {what}: {result['failed']} of {result['answers']} answers were no success")
        return result
    return turn


def late_requests(server, seconds):
    """Clients that are not on this machine: their requests come a moment behind their connections."""
    target = pathlib.Path(server.targets["installer"]).read_text(encoding="ascii").split("\n", 1)[0]
    request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: {CURL}\r\nAccept: */*\r\n\r\n".encode()
    answers = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30)) for _ in range(LATE_CLIENTS)]
            time.sleep(LATE_SECONDS)
            for client in clients:
                client.sendall(request)
            for client in clients:
                answer = http.client.HTTPResponse(client)
                answer.begin()
                if answer.status != 200 or not answer.read():
                    raise RuntimeError(f"{server.name}: {answer.status} instead of an installer")
                client.close()
                answers += 1
    return {"answers": answers}


def posts(bench, *arguments):
    def turn(server, seconds):
        result = bench.wrk(server, seconds, *arguments)
        if result["failed"]:
            raise RuntimeError(f"{server.name}: {result['failed']} of {result['answers']} requests were refused")
        return result
    return turn


def scenarios(bench, stack, results):
    """Starts what is needed and yields the scenarios in order."""
    options = bench.options
    start = stack.enter_context
    plain = start(Pairport(bench))
    answers = {}
    for name, targets, agent in (("linux", [f"/{code}" for code in plain.codes], CURL),
                                 ("windows", [f"/{code}" for code in plain.codes], POWERSHELL),
                                 ("update", ["/update"] * 2, CURL), ("miss", ["/zzzzzzz", "/yyyyyyy"], CURL)):
        (head, body), (_, other) = (raw_get(plain.port, target, agent) for target in targets)
        answers[name] = (head, body, other)
    bench.sizes = {name: {"head": len(head), "body": len(body)} for name, (head, body, _) in answers.items()}
    floors = {name: start(Floor(bench, *answer)) for name, answer in answers.items()}
    scripts = ("linux", "windows", "update")
    parts = [{name: answers[name][part] for name in scripts} for part in (0, 1)]
    nginx = start(Nginx(bench, *parts))
    peers = [start(Peer(bench, *peer)) for peer in options.peers]
    measurable = [peer for peer in peers if peer.tells_length]
    if len(measurable) < len(peers):
        say(f"  {'':<14} without Content-Length, so in new_connection and latency they are left out: "
            + ", ".join(peer.name for peer in peers if not peer.tells_length))

    if options.wants("nginx_module"):
        yield Scenario("nginx_module", "GET of a Linux installer, nginx with the module and with a file", [start(NginxModule(bench)), nginx],
                       gets(bench, "installer"))
    if options.wants("nginx_tls"):
        with failure_noted(results, "nginx_tls"):
            yield over_tls(bench, start, start(tempfile.TemporaryDirectory(prefix="pairport-bench-")))
    if not options.wants(*THROUGHPUT, "latency"):
        return

    say(f"  {'':<14} making {options.live:,} deposits ...")
    full = start(Pairport(bench, "pairport, full"))
    loaded = full.fill(options.live)
    say(f"  {'':<14} {loaded['seconds']:.0f} s")
    services = [plain, full]

    fresh = lambda server: server.fresh() if server is plain else None
    yield Scenario("get_linux", "GET of a Linux installer", [*services, floors["linux"], nginx, *peers], gets(bench, "installer"))
    windows = gets(bench, "installer", POWERSHELL)
    nginx_windows = gets(bench, "windows", POWERSHELL)
    yield Scenario("get_windows", "GET of a Windows installer", [*services, floors["windows"], nginx],
                   lambda server, seconds: (nginx_windows if server is nginx else windows)(server, seconds))
    yield Scenario("update", "GET /update", [*services, floors["update"], nginx, *peers], gets(bench, "update"))
    yield Scenario("miss", "GET of a code that does not exist (404)", [*services, floors["miss"], *peers],
                   gets(bench, "miss", failing=True))
    yield Scenario("new_connection", "GET of a Linux installer, a new connection each",
                   [*services, floors["linux"], nginx, *measurable],
                   lambda server, seconds: only_status(bench.load(server, [
                       "--new-connections", "--seconds", str(seconds), "--targets", server.targets["installer"]]), 200))
    yield Scenario("one_shot", "GET of a Linux installer, a new connection each, which the client asks to close",
                   [*services, start(Floor(bench, *answers["linux"], closes=True)), nginx, *measurable],
                   lambda server, seconds: only_status(bench.load(server, [
                       "--new-connections", "--ask-close", "--seconds", str(seconds), "--targets", server.targets["installer"]]), 200))
    # nginx can defer connections, too.
    deferring = start(Nginx(bench, *parts, name="nginx, deferred", listen="backlog=4096 deferred"))
    yield Scenario("late_request", "GET of a Linux installer, a new connection each, asked for half a millisecond later",
                   [*services, floors["linux"], nginx, deferring, *measurable], late_requests)
    yield Scenario("deposit", "POST of a deposit (JSON)", [*services, *peers], posts(bench, "deposit"), before=fresh)
    yield Scenario("mix", "deposit, then GET its installer", services, posts(bench, "mix", CURL), before=fresh)

    # What it brings to answer requests together that have come together: the same client and server, one at a time and eight.
    one, eight = Pipelining(plain, 1), Pipelining(plain, 8)
    for name, title, what, status in (("pipelined", "GETs of a Linux installer, eight at a time on a connection", "installer", 200),
                                      ("pipelined_miss", "GETs of a code that does not exist (404), eight at a time", "miss", 404)):
        yield Scenario(name, title, [one, eight], lambda server, seconds, what=what, status=status: only_status(bench.load(server, [
            "--connections", "16", "--pipeline", str(server.depth), "--seconds", str(seconds), "--targets", server.targets[what]]), status))

    if options.wants("latency"):
        # Half of what the service can do, the same for everybody.
        watch = Watch(bench.cores, plain.pids)
        answered = bench.load(plain, ["--seconds", "1", "--targets", plain.targets["installer"]])["answers"]
        bench.half_rate = round(0.5e9 * answered / watch.end()["cpu_ns"])
    yield Scenario("latency", "latency of GETs at half load (open loop)", [*services, floors["linux"], nginx, *measurable],
                   lambda server, seconds: bench.load(server, [
                       "--rate", str(bench.half_rate), "--seconds", str(seconds), "--targets", server.targets["installer"]]))


class Pipelining:
    """A server that is asked for so many answers at a time."""

    def __init__(self, server, depth):
        self.server = server
        self.depth = depth
        self.name = f"{server.name}, {depth} at a time"

    def __getattr__(self, name):
        return getattr(self.server, name)


def over_tls(bench, start, folder):
    tls = certificate(folder)
    return Scenario("nginx_tls", "GET of a Linux installer over kept TLS connections, nginx with the module and pairport's own TLS",
                    [start(NginxModule(bench, tls)), start(Pairport(bench, "pairport, TLS", tls))], gets(bench, "installer"))


def take_core(core, real_time):
    """In real time what the loop does is measured, not whoever else wants its core: threads of the kernel hold that for
    milliseconds where it is not preemptible."""
    os.sched_setaffinity(0, {core})
    with contextlib.suppress(PermissionError):
        if real_time:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


class PopulationServer:
    """population_server and its lines of JSON."""

    def __init__(self, bench, folder, live, crowds, crowd_size):
        core = bench.cores.server
        self.codes = os.path.join(folder, "codes")
        self.process = subprocess.Popen([str(bench.program("population_server")), str(live), str(crowds), str(crowd_size), self.codes],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                        preexec_fn=lambda: take_core(core, bench.options.real_time))
        self.about = {**self._line(600), "real_time": os.sched_getscheduler(self.process.pid) == os.SCHED_FIFO}
        self.port = int(self.about["url"].rpartition(":")[2])
        self.pids = [self.process.pid]

    def _line(self, seconds):
        deadline = time.monotonic() + seconds
        data = b""
        while not data.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more:
                raise RuntimeError("population_server gave no answer")
            data += more
        return json.loads(data)

    def mark(self):
        """What has happened since the last mark."""
        self.process.stdin.write(b"\n")
        return self._line(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def sleep_until(moment):
    time.sleep(max(0, moment - time.monotonic()))


def observe(bench, server, seconds, lead, *more):
    """GETs at a light rate for a while, and the loop meanwhile; connections are opened `lead` seconds before."""
    command = [str(bench.program("load_client")), "--port", str(server.port), "--rate", str(LIGHT_RATE), "--connections", "32",
               "--seconds", str(seconds + lead + 0.1), "--targets", server.codes, *more]
    watch = Watch(bench.cores, server.pids)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
        time.sleep(lead)
        live = server.mark()["live"]
        time.sleep(seconds)
        loop = server.mark()
        text, _ = client.communicate(timeout=60)
    figures = watch.end()
    result = only_status(json.loads(text), 200)
    return {**figures, **result, "loop": loop, "fewer": live - loop["live"],
            "disturbed": disturbance(bench.options, figures) or pause(bench.options, result)}


def disturbance_of(each):
    """Why a round with a crowd was disturbed, or None."""
    return each["quiet"]["disturbed"] or each["during"]["disturbed"]


def choose_rounds(rounds, wanted):
    """Those that count, and the others: undisturbed ones first and, where these are too few, disturbed ones in their order."""
    chosen = sorted(range(len(rounds)), key=lambda index: bool(disturbance_of(rounds[index])))[:wanted]
    return [rounds[index] for index in sorted(chosen)], [each for index, each in enumerate(rounds) if index not in chosen]


def crowds_expire(bench, folder):
    """Ten million live deposits, GETs, and a million of them expiring within one second, several times."""
    options = bench.options
    spare = 3 if options.repeat else 0
    crowds = options.rounds + spare
    say(f"  expiry         making {options.population + (crowds - 1) * options.crowd:,} deposits ...")
    with PopulationServer(bench, folder, options.population, crowds, options.crowd) as server:
        say(f"  expiry         {server.about['loading_seconds']} s; {crowds} times {options.crowd:,} of them will expire within a second each")
        rounds = []
        skipped = 0
        for moment in server.about["crowds"]:
            if time.monotonic() > moment - 2.8:
                skipped += 1  # the round before took so long that there is no quiet time left
                continue
            sleep_until(moment - 3.2)
            quiet = observe(bench, server, 1.2, 0.4)
            sleep_until(moment - 0.4)
            # A crowd is all due after a second; ticks and the work itself take a little longer.
            during = observe(bench, server, 1.4, 0.3, "--deposit-every", "10")
            rounds.append({"quiet": quiet, "during": during})
            say(f"  expiry         {during['fewer']:,} fewer alive: slowest GET {during['latency_us']['max']:.0f} us, "
                f"longest iteration {during['loop']['wall_us']:.0f} us, {during['loop']['core_wait_us']:.0f} of them without a core"
                + (f"; disturbed: {disturbance_of(rounds[-1])}" if disturbance_of(rounds[-1]) else ""))
            if sum(not disturbance_of(each) for each in rounds) == options.rounds:
                break
    if not rounds:
        raise RuntimeError("every crowd had expired before it could be observed")
    kept, others = choose_rounds(rounds, options.rounds)
    return {"about": server.about, "rounds": kept, "disturbed": sum(bool(disturbance_of(each)) for each in kept),
            "thrown_away": ["no time to observe it"] * skipped + [disturbance_of(each) for each in others]}


@contextlib.contextmanager
def failure_noted(results, name):
    """One benchmark that fails does not take the others' results with it, and is not forgotten."""
    try:
        yield
    except RuntimeError as error:
        say(f"  {name:<14} FAILED: {error}")
        results["failed"][name] = str(error)


def run(bench, results):
    """Fills `results` with a table for each scenario."""
    options = bench.options
    if options.wants("expiry"):
        with tempfile.TemporaryDirectory(prefix="pairport-bench-") as folder, failure_noted(results, "expiry"):
            results["expiry"] = crowds_expire(bench, folder)
    if options.wants("tls"):
        import tls  # which takes turns from here
        with contextlib.ExitStack() as stack:
            tls.run(bench, results, stack, failure_noted)
    if not options.wants(*THROUGHPUT, *NGINX, "latency"):
        return
    with contextlib.ExitStack() as stack:
        for scenario in scenarios(bench, stack, results):
            if options.wants(scenario.name):
                with failure_noted(results, scenario.name):
                    results["scenarios"][scenario.name] = take_turns(bench, scenario)
    results["sizes"] = bench.sizes
    results["half_rate"] = getattr(bench, "half_rate", None)
