# SPDX-License-Identifier: MIT
"""How many files of the product know one thing: a new one of its kind touches as many. Templates of scripts, the manual and the
examples of configuration are not counted: they show it to people."""

import re
import unittest

import runner

ROOT = runner.ROOT
LAYERS = ["core", "render", "net", "nginx"]


def code_of(path):
    """Without comments, but with literals: they hold names."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


SOURCES = {path.relative_to(ROOT).as_posix(): code_of(path) for layer in LAYERS for path in sorted((ROOT / layer).rglob("*"))
           if path.suffix in (".h", ".cc", ".c") and "templates" not in path.parts}


def files_with(pattern):
    return {name for name, text in SOURCES.items() if re.search(pattern, text)}


class Places(unittest.TestCase):
    def check(self, pattern, known, at_work=()):
        """`known`: the rows and members of the thing. `at_work`: the code that it is for."""
        self.assertEqual(files_with(pattern), {*known, *at_work}, pattern)

    def test_a_deposit_field_is_known_in_four_files(self):
        # nginx, the configuration file, the three formats of bodies, the store and the templates loop over its rows.
        known = {"core/include/pairport/deposit.h", "core/deposit/deposit_fields.h", "render/include/pairport/pairport.h",
                 "render/include/pairport/pairport_deposits.h"}
        for pattern in (r"\b(static_)?client_id\b|kClientId\b", r"\b(static_)?password\b|kPassword\b"):
            self.check(pattern, known)

    def test_a_limit_of_the_service_is_known_in_three_files(self):
        known = {"render/include/pairport/options.h", "render/options/options.cc", "render/include/pairport/pairport.h"}
        self.check(r"\bnetwork_share\b", known, {"render/service/service.cc"})

    def test_a_limit_of_the_server_is_known_in_three_files(self):
        known = {"net/include/pairport/server.h", "net/loop/server_options.cc", "net/include/pairport/pairport_uv.h"}
        self.check(r"\bdrain_timeout\b", known, {"net/loop/server.cc"})

    def test_a_limit_of_a_connection_is_known_in_three_files(self):
        known = {"net/include/pairport/connection.h", "net/include/pairport/pairport_http.h", "net/include/pairport/pairport_uv.h"}
        self.check(r"\bhead_timeout\b", known, {"net/http1/connection.cc"})

    def test_a_url_of_the_installer_is_known_in_three_files(self):
        known = {"render/include/pairport/options.h", "render/options/options.cc", "render/include/pairport/pairport.h"}
        for name in ("repo_keys", "tacoscript_url", "checksums_url"):
            self.check(rf"\b{name}\b", known, {"net/program/config.cc"} if name == "checksums_url" else ())

    def test_a_request_header_is_known_in_two_files(self):
        known = {"render/include/pairport/http.h", "render/include/pairport/pairport.h"}
        self.check(r"\bif_range\b|if-range", known, {"render/service/file.cc"})
        self.check(r"\bcontent_type\b|content-type", known,
                   {"render/service/deposit.cc", "render/http/body.cc", "render/http/body.h", "render/service/health.cc",
                    "render/c/c_service.cc", "nginx/answer.c"})

    def test_a_route_is_known_in_two_files(self):
        self.check(r"\b(kUninstall|answer_uninstall)\b", {"render/include/pairport/http.h", "render/service/routes.h"},
                   {"render/service/look_up.cc"})

    def test_the_manual_lists_the_routes(self):
        rows = re.findall(r'\{Route::k\w+,\s*"(\w+)"', SOURCES["render/service/routes.h"])
        self.assertIn("installer", rows)
        line = re.search(r"The route replaces the path.*It is one of (.*)\.", (ROOT / "doc/operating.md").read_text(encoding="utf-8"))[1]
        self.assertEqual(sorted(re.findall(r"`(\w+)`", line)), sorted(rows))

    def test_an_operating_system_is_known_in_two_files(self):
        self.check(r"\bkWindows\b", {"render/scripts/platforms.h"}, {"render/service/commands.cc"})


if __name__ == "__main__":
    runner.run()
