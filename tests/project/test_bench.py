# SPDX-License-Identifier: MIT
"""What the benchmarks make of their figures. The benchmarks themselves do not run here."""

import json
import pathlib
import sys
import tempfile
import types
import unittest
import xml.etree.ElementTree

import runner

sys.path.insert(0, str(runner.ROOT / "bench"))
import end_to_end
import harness
import report
import run


def turn(cpu_us, answers=1000, user_ticks=1, system_ticks=3, **more):
    return {"cpu_us": cpu_us, "cpu_ns": cpu_us * answers * 1000, "answers": answers, "user_ticks": user_ticks,
            "system_ticks": system_ticks, **more}


def results_of(**turns_by_server):
    return {"scenarios": {"get_linux": {"title": "a <title> & more", "thrown_away": [], "disturbed": 0, "turns": turns_by_server}},
            "machine": {"cpu": "x", "cores": 2, "memory_gib": 1, "kernel": "y", "system": "z", "virtual": True}, "date": "today",
            "commit": "abc", "command": "script/bench", "options": {"crowd": 1000}}


def goal_of(results, what):
    (found,) = [row for row in report.goals(results) if what in row["what"]]
    return found


class Ratios(unittest.TestCase):
    def test_turns_are_compared_with_those_that_followed_them(self):
        found = report.ratio([turn(10), turn(40), turn(9)], [turn(10), turn(20), turn(12)], report.cpu)
        self.assertEqual(found, {"median": 1, "min": 0.75, "max": 2})

    def test_a_turn_too_few_is_an_error(self):
        with self.assertRaises(ValueError):
            report.ratio([turn(1)], [turn(1), turn(2)], report.cpu)

    def test_user_time_is_that_of_all_turns(self):
        turns = [turn(10, user_ticks=0, system_ticks=10), turn(30, user_ticks=10, system_ticks=0)]
        self.assertAlmostEqual(report.user_us(turns), 10)

    def test_user_time_without_a_tick(self):
        self.assertEqual(report.user_us([turn(10, user_ticks=0, system_ticks=0)]), 0)


class Goals(unittest.TestCase):
    def test_verdicts(self):
        for ours, verdict in ((12, "MISSED"), (11.5, "must reached"), (9.5, "aim reached"), (9.51, "must reached")):
            row = goal_of(results_of(pairport=[turn(ours)] * 3, floor=[turn(10)] * 3), "bare epoll, same bytes")
            self.assertEqual(row["verdict"], verdict, ours)

    def test_more_is_better_for_what_scales(self):
        for ratio, verdict in ((1.69, "MISSED"), (1.7, "must reached"), (1.95, "aim reached")):
            crowd = {"rate": 400, "cores_used": 1.8, "client_cores_used": 0.1}
            rounds = [{"one": crowd, "two": crowd, "alone": crowd, "ratios": {"one": ratio, "alone": 1.25}}] * 3
            scaling = {"rounds": rounds, "client_has_a_core": False, "disturbed": 1}
            results = {**results_of(pairport=[turn(1)]), "tls": {"scaling": {"rsa": scaling}}}
            row = goal_of(results, "on two cores / on one (rsa)")
            self.assertEqual(row["verdict"], verdict, ratio)
            self.assertIn("≥ 1.70", report.goals_table([row]))
            self.assertIn("0.10 and 0.10 of a core", row["note"])
            self.assertIn("400 per second and 1.25; 1 of 3 rounds disturbed", row["note"])
            scaling["client_has_a_core"] = True
            self.assertNotIn("a core", goal_of(results, "on two cores / on one (rsa)")["note"])
        self.assertEqual(goal_of(results_of(pairport=[turn(1)]), "on two cores")["verdict"], "not measured")

    def test_the_go_service_is_the_peer_of_that_name(self):
        results = results_of(pairport=[turn(10)], go=[turn(200)], other=[turn(20)])
        self.assertEqual(goal_of(results, "Go service")["verdict"], "aim reached")
        self.assertEqual(goal_of(results_of(pairport=[turn(10)], other=[turn(20)]), "Go service")["verdict"], "not measured")

    def test_nginx_with_the_module_is_compared_with_nginx(self):
        turns = {"nginx, module": [turn(11)] * 3, "nginx": [turn(10)] * 3}
        results = results_of(pairport=[turn(1)])
        results["scenarios"]["nginx_module"] = {"title": "module", "thrown_away": [], "disturbed": 0, "turns": turns}
        self.assertEqual(goal_of(results, "nginx with the module / nginx")["verdict"], "MISSED")
        self.assertIn("| nginx, module | 11 | 1.10 |", report.markdown(results))
        turns["nginx, module"] = [turn(10.4)] * 3
        self.assertEqual(goal_of(results, "nginx with the module / nginx")["verdict"], "must reached")

    def test_what_was_not_measured_is_said(self):
        results = results_of(pairport=[turn(1)])
        self.assertEqual(goal_of(results, "bare epoll, same bytes")["verdict"], "not measured")
        self.assertEqual(goal_of(results, "slowest GET")["verdict"], "not measured")

    def test_the_worst_counts_where_a_goal_is_about_the_longest(self):
        part = lambda slowest, wall: {"loop": {"wall_us": wall, "core_wait_us": 5, "allocations": 0}, "client_longest_gap_us": 7,
                                      "latency_us": {"p50": 1, "p99": 10, "max": slowest}, "deposit_latency_us": {"max": 9}, "fewer": 1000, "waited_ns": 1}
        results = results_of(pairport=[turn(1)])
        results["expiry"] = {"about": {"resident_bytes": 500, "memory_bytes": 400, "measured_at": 2, "level": "plain", "real_time": True}, "disturbed": 0,
                             "thrown_away": [], "rounds": [{"quiet": part(1, 1), "during": part(slowest, wall)}
                                                           for slowest, wall in ((100, 150), (6000, 150), (100, 300))]}
        self.assertEqual(goal_of(results, "slowest GET")["verdict"], "MISSED")
        self.assertEqual(goal_of(results, "longest loop iteration")["verdict"], "must reached")
        self.assertNotIn("not gone", goal_of(results, "longest loop iteration")["note"])
        self.assertNotIn("disturbed", goal_of(results, "longest loop iteration")["note"])
        results["expiry"]["disturbed"] = 2
        self.assertIn("2 of 3 rounds disturbed", goal_of(results, "longest loop iteration")["note"])
        results["expiry"]["rounds"][0]["during"]["fewer"] = 900
        self.assertIn("1 of 3 crowds were not gone", goal_of(results, "longest loop iteration")["note"])
        self.assertEqual(goal_of(results, "allocations")["verdict"], "aim reached")
        self.assertEqual(goal_of(results, "resident")["judged"], 250)
        self.assertIn("| 2, crowd expires | 1,000 | 1 | 10 | 6,000 |", report.markdown(results))
        self.assertIn("| slowest GET during that | ≤ 5,000 us |  | 100 (100 to 6,000) us, the worst counts | MISSED |",
                      report.goals_markdown(results))

    def test_what_looks_like_a_limit_says_on_which_side_it_is(self):
        for cpu, shown in ((9.007, "0.901"), (8.996, "0.900"), (9, "0.90"), (9.4, "0.94")):
            row = goal_of(results_of(pairport=[turn(cpu)], nginx=[turn(10)]), "nginx with open_file_cache")
            self.assertIn(f"| {shown} |", report.goals_table([row]))

    def test_undisturbed_rounds_count_first(self):
        rounds = [{"quiet": {"disturbed": quiet}, "during": {"disturbed": during}}
                  for quiet, during in ((None, None), ("a", None), (None, "b"), (None, None), (None, None))]
        good = [rounds[0], rounds[3], rounds[4]]
        self.assertEqual(end_to_end.choose_rounds(rounds, 2), (good[:2], [rounds[1], rounds[2], rounds[4]]))
        self.assertEqual(end_to_end.choose_rounds(rounds, 3), (good, [rounds[1], rounds[2]]))
        self.assertEqual(end_to_end.choose_rounds(rounds, 4), ([rounds[0], rounds[1], rounds[3], rounds[4]], [rounds[2]]))
        self.assertEqual(end_to_end.choose_rounds(rounds[:1], 2), (rounds[:1], []))
        self.assertEqual([end_to_end.disturbance_of(each) for each in rounds], [None, "a", "b", None, None])

    def test_the_command_is_shown_as_it_was_typed(self):
        self.assertEqual(run.as_typed(["--build", "build/release", "--only", "tls"]), ["--only", "tls"])
        self.assertEqual(run.as_typed(["--only", "tls"]), ["--only", "tls"])

    def test_look_ups_at_ten_million_are_found(self):
        results = results_of(pairport=[turn(1)])
        results["micro"] = {"store_bench": [{"name": "store/hit/1000000", "cpu_ns": 90, "counters": {}},
                                            {"name": "store/hit/10000000", "cpu_ns": 120, "counters": {}}]}
        self.assertEqual(goal_of(results, "look-up hit")["judged"], 120)
        self.assertEqual(goal_of(results, "look-up miss")["verdict"], "not measured")


class Chart(unittest.TestCase):
    def test_is_xml_and_shows_every_server(self):
        chart = report.chart(results_of(**{"pairport": [turn(11), turn(12)], "floor": [turn(10), turn(10)], "a<b&c": [turn(30), turn(20)]}))
        root = xml.etree.ElementTree.fromstring(chart)
        space = "{http://www.w3.org/2000/svg}"
        texts = [element.text for element in root.iter(space + "text")]
        for text in ("pairport", "a<b&c", "1.15 (11.5 µs)", "2.50 (25.0 µs)"):
            self.assertIn(text, texts)
        widths = [float(element.get("width")) for element in root.iter(space + "rect")]
        self.assertAlmostEqual(widths[0] / widths[1], 1.15, places=2)

    def test_without_figures(self):
        xml.etree.ElementTree.fromstring(report.chart({"scenarios": {}}))


class Results(unittest.TestCase):
    def test_tables_and_chart_are_kept_and_every_turn_stays_in_the_build_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            options = types.SimpleNamespace(results=pathlib.Path(folder, "results"), build=pathlib.Path(folder, "build"))
            run.write_results(results_of(pairport=[turn(11)], floor=[turn(10)]), options)
            self.assertEqual({path.name for path in options.results.iterdir()}, {"latest.md", "goals.md", "latest.svg"})
            every_turn = json.loads((options.build / "bench-results" / "latest.json").read_text(encoding="utf-8"))
            self.assertEqual(every_turn["scenarios"]["get_linux"]["turns"]["pairport"], [turn(11)])

    def test_what_is_committed_is_compact(self):
        kept = {path.name: path.stat().st_size for path in (pathlib.Path(run.HERE) / "results").iterdir()}
        self.assertEqual(set(kept), {"latest.md", "goals.md", "latest.svg"})
        self.assertLess(sum(kept.values()), 64 * 1024)


class Harness(unittest.TestCase):
    WRK = "  123456 requests in 2.00s, 3.80GB read\nRequests/sec:  61728.00\n"

    def test_what_wrk_says(self):
        self.assertEqual(harness.parse_wrk(self.WRK), {"answers": 123456, "failed": 0})
        self.assertEqual(harness.parse_wrk(self.WRK + "  Non-2xx or 3xx responses: 17\n")["failed"], 17)

    def test_errors_of_wrk_are_not_overlooked(self):
        for text in ("unable to connect to 127.0.0.1", self.WRK + "  Socket errors: connect 0, read 3, write 0, timeout 0\n"):
            with self.assertRaises(RuntimeError):
                harness.parse_wrk(text)

    def test_pieces_of_an_answer(self):
        self.assertEqual(harness.shared_ends(b"begin one end", b"begin three end"), [6, 2, 5])
        self.assertEqual(harness.shared_ends(b"same", b"same"), [4])
        self.assertEqual(harness.shared_ends(b"aXa", b"aXXa"), [2, 1])

    def test_codes_that_do_not_exist_are_different_ones(self):
        codes = harness.missing_codes()
        self.assertEqual(len(set(codes)), len(codes))
        self.assertEqual({len(code) for code in codes}, {10})

    def test_disturbed_turns(self):
        options = types.SimpleNamespace(max_steal=0.01, max_foreign=0.05)
        verdict = lambda steal, foreign: end_to_end.disturbance(options, {"steal_share": steal, "foreign_share": foreign})
        self.assertIsNone(verdict(0.01, 0.05))
        self.assertIn("steal", verdict(0.02, 0))
        self.assertIn("foreign", verdict(0, 0.06))

    def test_a_client_that_stood_still(self):
        verdict = lambda gap: end_to_end.pause(types.SimpleNamespace(max_pause=2000), {"client_longest_gap_us": gap})
        self.assertIsNone(verdict(2000))
        self.assertIn("2.1 ms", verdict(2100))


class Turns(unittest.TestCase):
    """Rounds with a server that is none, and a machine that is disturbed when the test says so."""

    def take(self, disturbed, rounds=2, repeat=True):
        taken = []
        steals = iter(disturbed)

        class Watch:
            def __init__(self, *_):
                pass

            def end(self):
                return {"cpu_ns": 10_000_000, "user_ticks": 1, "system_ticks": 1, "foreign_share": 0, "steal_share": next(steals, 0)}

        def drive(server, _):
            taken.append(server.name)
            return {"answers": 1000}

        bench = types.SimpleNamespace(cores=None, options=types.SimpleNamespace(rounds=rounds, seconds=1, repeat=repeat, max_steal=0.01,
                                                                                max_foreign=0.05))
        servers = [types.SimpleNamespace(name=name, pids=[], before_turn=lambda: None) for name in "ab"]
        original, end_to_end.Watch, end_to_end.say = (end_to_end.Watch, end_to_end.say), Watch, lambda _: None
        try:
            return taken, end_to_end.take_turns(bench, end_to_end.Scenario("x", "x", servers, drive))
        finally:
            end_to_end.Watch, end_to_end.say = original

    def test_servers_take_turns(self):
        taken, result = self.take([])
        self.assertEqual("".join(taken), "abab")
        self.assertEqual(result["turns"]["a"][0]["cpu_us"], 10)
        self.assertEqual(result["disturbed"], 0)

    def test_a_disturbed_turn_is_repeated(self):
        taken, result = self.take([0, 0.5, 0])
        self.assertEqual("".join(taken), "abbab")
        self.assertEqual((len(result["turns"]["b"]), len(result["thrown_away"]), result["disturbed"]), (2, 1, 0))

    def test_when_everything_is_disturbed_it_ends_and_says_so(self):
        taken, result = self.take([0.5] * 100)
        self.assertEqual(len(taken), 8)
        self.assertEqual((len(result["thrown_away"]), result["disturbed"]), (4, 4))


if __name__ == "__main__":
    runner.run()
