# SPDX-License-Identifier: MIT
"""What the figures mean: ratios, goals, tables and a chart. Nothing here measures or touches a file."""

import re
import statistics
from html import escape


def spread(values):
    """Median, minimum and maximum."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def ratio(turns, others, value):
    """Of two servers that took turns: the spread of the ratios of turns that followed each other."""
    return spread([value(one) / value(other) for one, other in zip(turns, others, strict=True)])


def cpu(turn):
    return turn["cpu_us"]


def p99(turn):
    return turn["latency_us"]["p99"]


def user_us(turns):
    """User time per answer. The kernel samples it with its clock: only the sum of all turns is fine enough."""
    ticks = sum(turn["user_ticks"] for turn in turns)
    all_ticks = ticks + sum(turn["system_ticks"] for turn in turns)
    if not all_ticks:
        return 0.0
    total = sum(turn["cpu_ns"] for turn in turns) / 1000
    return total * ticks / all_ticks / sum(turn["answers"] for turn in turns)


def turns_of(results, scenario, server):
    return results.get("scenarios", {}).get(scenario, {}).get("turns", {}).get(server)


def scenario_ratio(results, scenario, one, other, value=cpu, scenario_of_other=None):
    turns = turns_of(results, scenario, one)
    others = turns_of(results, scenario_of_other or scenario, other)
    return ratio(turns, others, value) if turns and others else None


def micro(results, program, pattern, key="cpu_ns"):
    """The figure of the benchmark whose name matches, or None."""
    for entry in results.get("micro", {}).get(program, []):
        if re.search(pattern, entry["name"]):
            value = entry.get(key) if key == "cpu_ns" else entry["counters"].get(key)
            if value is not None:
                return value
    return None


def single(value):
    return None if value is None else {"median": value, "min": value, "max": value}


def worst(values):
    return None if not values else {"median": statistics.median(values), "min": min(values), "max": max(values), "judged": max(values)}


def anatomy(results, scenario, one, other):
    """Where the CPU time of two servers goes, in words."""
    parts = []
    for name in (one, other):
        turns = turns_of(results, scenario, name)
        total = statistics.median(cpu(turn) for turn in turns)
        user = user_us(turns)
        parts.append(f"{name} {total:.1f} us = {total - user:.1f} kernel + {user:.1f} user")
    return "; ".join(parts)


def expiry_rounds(results):
    return results.get("expiry", {}).get("rounds", [])


def scaling_note(found):
    rounds = found["rounds"]
    of = lambda turn, key: statistics.median(each[turn][key] for each in rounds)
    note = f"{of('one', 'rate'):.0f} per second on one core; on two the service got {of('two', 'cores_used'):.2f} cores"
    if not found["client_has_a_core"]:
        alone = statistics.median(each["ratios"]["alone"] for each in rounds)
        note += (f". There is no third core, so the client works on the service's in both: {of('one', 'client_cores_used'):.2f} and "
                 f"{of('two', 'client_cores_used'):.2f} of a core. With a core for the client alone while the service has one, "
                 f"{of('alone', 'rate'):.0f} per second and {alone:.2f}")
    return note + (f"; {found['disturbed']} of {len(rounds)} rounds disturbed" if found["disturbed"] else "")


def goals(results):
    """Each goal with what was measured. `value` is None where it was not."""
    rows = []

    def goal(what, must, aim, value, unit="", note="", more_is_better=False):
        judged = None if value is None else value.get("judged", value["median"])
        meets = lambda limit: judged >= limit if more_is_better else judged <= limit
        verdict = ("not measured" if judged is None else "aim reached" if aim is not None and meets(aim) else
                   "must reached" if meets(must) else "MISSED")
        rows.append({"what": what, "must": must, "aim": aim, "value": value, "judged": judged, "unit": unit, "verdict": verdict,
                     "note": note, "sign": "≥" if more_is_better else "≤"})

    def between(what, must, aim, scenario, one, other, **more):
        value = scenario_ratio(results, scenario, one, other, **more)
        goal(what, must, aim, value, note=anatomy(results, scenario, one, other) if value and not more else "")

    between("CPU per GET of an installer / bare epoll, same bytes", 1.15, 0.95, "get_linux", "pairport", "floor")
    between("... / nginx with open_file_cache, same bytes", 0.90, 0.80, "get_linux", "pairport", "nginx")
    between("... / the Go service's installer (peer `go`)", 0.09, 0.05, "get_linux", "pairport", "go")
    ours, theirs = turns_of(results, "get_linux", "pairport"), turns_of(results, "get_linux", "nginx")
    users = user_us(theirs) if ours and theirs else 0
    goal("user CPU per GET / nginx", 0.6, 0.4, single(user_us(ours) / users if users else None),
         note=f"{user_us(ours):.2f} us and {users:.2f} us" if users else "")
    between("CPU per GET, nginx with the module / nginx with a file of that size", 1.05, None, "nginx_module", "nginx, module", "nginx")
    between("... with the module and TLS / pairport's own TLS", 1.05, None, "nginx_tls", "nginx, module", "pairport, TLS")
    between("new connection + GET / nginx, when the client asks to close it", 0.90, 0.82, "one_shot", "pairport", "nginx")
    between("... when it closes it itself, as curl does", 0.90, 0.82, "new_connection", "pairport", "nginx")
    between("... and asks half a millisecond after it has connected, as over a network; nginx with `deferred`", 0.90, 0.82, "late_request", "pairport", "nginx, deferred")
    allocations = [row["quiet"]["loop"]["allocations"] for row in expiry_rounds(results)]
    goal("heap allocations while GETs are answered", 0, 0, worst(allocations), note="of the whole process, libuv included, each round")
    between("CPU per deposit / per 404", 2.5, 1.6, "deposit", "pairport", "pairport", scenario_of_other="miss")
    between("deposits with millions of live ones / with none", 1.3, None, "deposit", "pairport, full", "pairport")
    about = results.get("expiry", {}).get("about")
    bytes_each = max(about["resident_bytes"], about["memory_bytes"]) / about["measured_at"] if about else None
    goal("resident bytes per live deposit, 150 bytes of values", 256, 210, single(bytes_each), " B",
         note=f"at {about['measured_at']:,}, {about['level']}" if about else "")
    for what in ("hit", "miss"):
        goal(f"look-up {what} at 10 million", 150, 110, single(micro(results, "store_bench", rf"^store/{what}/10000000\b")), " ns")
    goal("worst single store operation, growth to 10 million included", 100, 20,
         single(micro(results, "store_bench", r"^store/life/10000000\b", "insert_worst_us")), " us")
    rounds = expiry_rounds(results)
    crowd = f"{results['options']['crowd']:,}" if rounds else "a million"
    goal(f"longest loop iteration while {crowd} deposits expire in one second", 1000, 200,
         worst([row["during"]["loop"]["wall_us"] for row in rounds]), " us",
         note="" if not rounds else ("the server at real-time priority" if about["real_time"] else "the server at ordinary priority")
         + f"; without a core in the longest: {max(row['during']['loop']['core_wait_us'] for row in rounds):.0f} us")
    if rounds and results["expiry"]["disturbed"]:
        rows[-1]["note"] += f"; {results['expiry']['disturbed']} of {len(rounds)} rounds disturbed"
    late = [row for row in rounds if row["during"]["fewer"] < 0.98 * results["options"]["crowd"]]
    if late:
        rows[-1]["note"] += f"; {len(late)} of {len(rounds)} crowds were not gone when the round ended"
    goal("p99 of GETs during that / quiet p99", 2, 1.2,
         spread([p99(row["during"]) / p99(row["quiet"]) for row in rounds]) if rounds else None,
         note=f"p99 quiet {statistics.median(p99(row['quiet']) for row in rounds):.0f} us" if rounds else "")
    goal("slowest GET during that", 5000, None, worst([row["during"]["latency_us"]["max"] for row in rounds]), " us",
         note=f"slowest deposit: {max(row['during']['deposit_latency_us']['max'] for row in rounds):.0f} us; the client's own longest "
              f"pause: {max(row['during']['client_longest_gap_us'] for row in rounds):.0f} us" if rounds else "")
    half = scenario_ratio(results, "latency", "pairport", "floor", p99)
    goal("p99 at half load / bare epoll", 2, None, half, note=f"at {results['half_rate']:,} requests per second" if half else "")
    for kind, found in sorted(results.get("tls", {}).get("scaling", {"rsa": None}).items(), reverse=True):
        rounds = found["rounds"] if found else []
        goal(f"full TLS handshakes on two cores / on one ({kind})", 1.7, 1.9,
             spread([each["ratios"]["one"] for each in rounds]) if rounds else None, more_is_better=True,
             note=scaling_note(found) if rounds else "")
    return rows


def number(value, digits=2):
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.{digits}f}"


def with_spread(value, unit="", digits=2):
    if value["min"] == value["max"]:
        return number(value["median"], digits) + unit
    return f"{number(value['median'], digits)} ({number(value['min'])} to {number(value['max'])}){unit}"


def goals_table(rows):
    lines = ["| goal | must | aim | measured: median (min to max) | verdict | |", "|---|---|---|---|---|---|"]
    for row in rows:
        limit = lambda value, unit=row["unit"], row=row: "" if value is None else f"{row['sign']} {number(value)}{unit}"
        # What looks like a limit but is not says on which side of it it is.
        limits = [each for each in (row["must"], row["aim"]) if each is not None]
        near = row["judged"] is not None and any(number(row["judged"]) == number(each) and row["judged"] != each for each in limits)
        measured = "" if row["value"] is None else with_spread(row["value"], row["unit"], 3 if near else 2)
        if row["value"] and "judged" in row["value"] and row["value"]["max"] != row["value"]["min"]:
            measured += ", the worst counts"
        lines.append(f"| {row['what']} | {limit(row['must'])} | {limit(row['aim'])} | {measured} | {row['verdict']} | {row['note']} |")
    return "\n".join(lines) + "\n"


def about_lines(results):
    machine = results["machine"]
    return (f"{results['date']}, commit {results['commit']}, {machine['cpu']}, {machine['cores']} cores"
            f"{' (virtual machine)' if machine['virtual'] else ''}, {machine['memory_gib']} GiB, {machine['system']}, "
            f"Linux {machine['kernel']}. Options: {results['command']}\n")


def scenario_tables(results):
    parts = [f"\n**{name} failed**: {escape(text)}\n" for name, text in results.get("failed", {}).items()]
    for name, scenario in results.get("scenarios", {}).items():
        turns = scenario["turns"]
        latency = name == "latency"
        parts.append(f"\n### {scenario['title']}\n\n")
        if latency:
            parts.append(f"{results['half_rate']:,} requests per second for everybody.\n\n")
        # Where neither took part, and for TLS: the last one, which is what the first is compared with.
        bases = () if name.startswith("tls_") else ("floor", "pairport")
        against = next((server for server in bases if server in turns), list(turns)[-1])
        base = turns[against]
        what = "handshake" if "handshake" in scenario["title"] else "answer"
        figure = "p99, us" if latency else f"CPU per {what}, us"
        parts.append(f"| server | {figure} | / {against} | user, us | {what}s/s of the core |"
                     + (" p50 | p99.9 | slowest |" if latency else "") + "\n")
        parts.append("|---|---|---|---|---|" + ("---|---|---|" if latency else "") + "\n")
        value = p99 if latency else cpu
        for server, each in turns.items():
            row = (f"| {server} | {with_spread(spread([value(turn) for turn in each]))} | {with_spread(ratio(each, base, value))} "
                   f"| {user_us(each):.2f} | {1e6 / statistics.median(cpu(turn) for turn in each):,.0f} |")
            if latency:
                middle = lambda key, each=each: number(statistics.median(turn["latency_us"][key] for turn in each))
                row += f" {middle('p50')} | {middle('p999')} | {number(max(turn['latency_us']['max'] for turn in each))} |"
            parts.append(row + "\n")
        rounds = len(next(iter(turns.values())))
        parts.append(f"\n{rounds} turns each, {len(scenario['thrown_away'])} disturbed ones thrown away"
                     + (f", **{scenario['disturbed']} disturbed ones kept**" if scenario["disturbed"] else "") + ".\n")
    return "".join(parts)


def expiry_table(results):
    expiry = results.get("expiry")
    if not expiry:
        return ""
    rows = ["\n### Crowds of deposits expire while GETs are answered\n\n",
            f"{expiry['about']['measured_at']:,} deposits or more are alive; GETs at a light rate, and while a crowd expires every tenth request is a deposit, so that "
            "somewhat fewer are gone than have expired. Times in microseconds.\n\n",
            "| | fewer alive | p50 | p99 | slowest GET | longest iteration | of it without a core | without a core in all |\n", "|---|---|---|---|---|---|---|---|\n"]
    for index, each in enumerate(expiry["rounds"], 1):
        for name in ("quiet", "during"):
            part = each[name]
            latency = part["latency_us"]
            rows.append(f"| {index}, {'quiet' if name == 'quiet' else 'crowd expires'} | {part['fewer']:,} | {number(latency['p50'])} | "
                        f"{number(latency['p99'])} | {number(latency['max'])} | {number(part['loop']['wall_us'])} | "
                        f"{number(part['loop']['core_wait_us'])} | {number(part['waited_ns'] / 1000)} |\n")
    rows.append(f"\n{len(expiry['thrown_away'])} disturbed rounds thrown away"
                + (f", **{expiry['disturbed']} disturbed ones kept**" if expiry["disturbed"] else "") + ".\n")
    return "".join(rows)


def micro_tables(results):
    parts = []
    for program, entries in results.get("micro", {}).items():
        parts.append(f"\n### {program}\n\n| benchmark | CPU | counters |\n|---|---|---|\n")
        for entry in entries:
            counters = ", ".join(f"{name} {number(value)}" for name, value in entry["counters"].items())
            parts.append(f"| {entry['name']} | {number(entry['cpu_ns'])} ns | {counters} |\n")
    return "".join(parts)


def markdown(results):
    sizes = "".join(f"{name}: {size['body']:,} bytes and a head of {size['head']}; " for name, size in results.get("sizes", {}).items())
    return ("# Results\n\nMade by `script/bench`; see [../README.md](../README.md) for what each figure is.\n\n" + about_lines(results)
            + (f"\nAnswers: {sizes.rstrip('; ')}.\n" if sizes else "") + scenario_tables(results) + expiry_table(results)
            + micro_tables(results))


def goals_markdown(results):
    return ("# Goals\n\nMade by `script/bench`; see [../README.md](../README.md) for the method. Ratios are medians of turns that followed "
            "each other; smaller is better.\n\n" + about_lines(results) + "\n" + goals_table(goals(results)))


def chart(results):
    """CPU time per answer against the floor, as bars. SVG for light and dark backgrounds."""
    groups = []
    for name, scenario in results.get("scenarios", {}).items():
        turns = scenario["turns"]
        if name == "latency" or "floor" not in turns:
            continue
        bars = [(server, ratio(each, turns["floor"], cpu), statistics.median(cpu(turn) for turn in each)) for server, each in turns.items()]
        groups.append((scenario["title"], bars))
    row, gap, left, width, top = 22, 34, 150, 560, 64
    longest = min(max([bar[1]["max"] for _, bars in groups for bar in bars], default=1), 6)
    scale = width / (longest * 1.05)
    height = top + sum(gap + row * len(bars) for _, bars in groups) + 56
    x = lambda value: left + min(value, longest * 1.05) * scale
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 130} {height}" font-family="sans-serif" font-size="13" '
           'role="img" aria-label="CPU time per answer against the bare floor">',
           "<style>.t{fill:#1f2328}.m{fill:#59636e}.a{fill:#2f6fde}.b{fill:#9aa4b0}.l{stroke:#59636e;stroke-width:1}.f{stroke:#c2410c;"
           "stroke-width:1.5;stroke-dasharray:4 3}@media(prefers-color-scheme:dark){.t{fill:#e6edf3}.m{fill:#9aa4b0}.a{fill:#5b94f5}"
           ".b{fill:#59636e}.l{stroke:#9aa4b0}.f{stroke:#fb923c}}</style>",
           '<text class="t" x="12" y="24" font-size="16">CPU time per answer, kernel included; the bare epoll floor is 1</text>',
           '<text class="m" x="12" y="44">medians of interleaved turns, thin lines from minimum to maximum; shorter is better</text>']
    y = top
    for title, bars in groups:
        out.append(f'<text class="t" x="12" y="{y + 18}">{escape(title)}</text>')
        y += gap - 8
        for server, value, micros in bars:
            style = "a" if server.startswith("pairport") else "b"
            middle = y + row / 2
            out.append(f'<text class="m" x="{left - 8}" y="{middle + 4}" text-anchor="end">{escape(server)}</text>')
            out.append(f'<rect class="{style}" x="{left}" y="{y + 3}" width="{x(value["median"]) - left:.1f}" height="{row - 6}"/>')
            out.append(f'<line class="l" x1="{x(value["min"]):.1f}" x2="{x(value["max"]):.1f}" y1="{middle}" y2="{middle}"/>')
            out.append(f'<text class="t" x="{left + width + 10}" y="{middle + 4}">{value["median"]:.2f} ({micros:.1f} µs)</text>')
            y += row
        y += 8
    bottom = y + 4
    out.append(f'<line class="f" x1="{x(1):.1f}" x2="{x(1):.1f}" y1="{top}" y2="{bottom}"/>')
    out.append(f'<line class="l" x1="{left}" x2="{left + width}" y1="{bottom}" y2="{bottom}"/>')
    step = 0.5 if longest <= 3 else 1
    for index in range(int(longest * 1.05 / step) + 1):
        out.append(f'<line class="l" x1="{x(index * step):.1f}" x2="{x(index * step):.1f}" y1="{bottom}" y2="{bottom + 5}"/>')
        out.append(f'<text class="m" x="{x(index * step):.1f}" y="{bottom + 20}" text-anchor="middle">{index * step:g}</text>')
    out.append(f'<text class="m" x="{left + width / 2}" y="{bottom + 38}" text-anchor="middle">CPU time / floor</text>')
    out.append("</svg>\n")
    return "\n".join(out)
