# SPDX-License-Identifier: MIT
"""Every key of the configuration has its effect in the running program: which test shows it, and the tests of those keys
that no other file is about."""

import json
import re
import tempfile
import unittest
from pathlib import Path

import manual
import runner
from pairport_process import Pairport

FINGERPRINT = ":".join(["2a"] * 16)
GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": FINGERPRINT, "client_id": "client-of-effects", "password": "hunter2-effects"}
NO_LIMITS = "[limits]\n  deposits_per_second = 0\n  misses_per_second = 0\n"

LIMITS, CONTRACT, TLS = "contract/test_limits.py", "contract/test_contract.py", "net/tls/test_tls.py"
COMMAND_LINE, SANDBOX, LOG = "net/program/test_command_line.py", "net/program/test_sandbox.py", "net/program/test_access_log.py"
HERE = "contract/test_effects.py"

# Table and key: a test that fails when the key has no effect.
SHOWN_BY = {
    "server": {
        "address": (COMMAND_LINE, "test_several_addresses"),
        "url": ("contract/test_redirect.py", "test_a_client_that_follows_gets_the_installer"),
        "socket_mode": (COMMAND_LINE, "test_a_socket_for_a_group"),
        "socket_group": (COMMAND_LINE, "test_a_socket_for_a_group"),
        "trusted_proxies": (LOG, "test_the_client_behind_a_proxy_and_shortened_addresses"),
        "tls_cert": (TLS, "test_the_name_chooses"),
        "tls_key": (TLS, "test_the_name_chooses"),
        "tls_min_version": (TLS, "test_min_version"),
        "tls_threads": (TLS, "test_threads_for_handshakes"),
        "redirect_to_https": ("contract/test_redirect.py", "test_it_can_be_switched_off"),
        "hsts": (TLS, "test_hsts_is_sent_over_https_alone"),
        "acme_webroot": ("contract/test_acme.py", "test_a_challenge_comes_and_goes"),
    },
    "static-deposit": {key: (HERE, "test_a_static_deposit") for key in ("code", *GOOD)},
    "pairing": {
        "ttl": (CONTRACT, "test_a_code_is_dead_after_its_ttl_and_its_script_says_so"),
        "code_length": (CONTRACT, "test_code_length"),
        "max_deposits": (CONTRACT, "test_a_full_service_refuses_and_evicts_nothing"),
        "max_memory": (HERE, "test_memory_for_deposits"),
    },
    "limits": {
        "deposits_per_second": (CONTRACT, "test_deposits_are_limited_per_address"),
        "deposit_burst": (LOG, "test_a_limit_that_trips_is_told_with_a_count"),
        "misses_per_second": (CONTRACT, "test_an_address_without_tokens_learns_nothing"),
        "miss_burst": (CONTRACT, "test_an_address_without_tokens_learns_nothing"),
        "ipv6_budgets": (LIMITS, "test_budgets_of_networks_can_be_chosen"),
        "network_share": (HERE, "test_the_share_of_a_network"),
        "max_connections": (LIMITS, "test_in_total"),
        "max_connections_per_address": (LIMITS, "test_per_address"),
        "max_head_bytes": (LIMITS, "test_lower_ones"),
        "max_headers": (LIMITS, "test_lower_ones"),
        "max_body_bytes": (LIMITS, "test_lower_ones"),
        "head_timeout": (LIMITS, "test_head"),
        "body_timeout": (LIMITS, "test_body"),
        "idle_timeout": (LIMITS, "test_idle"),
        "answer_timeout": (LIMITS, "test_answer"),
        "min_bytes_per_second": (LIMITS, "test_minimum_rate"),
        "linger_timeout": (LIMITS, "test_linger"),
        "drain_timeout": (LIMITS, "test_drain"),
        "tls_handshake_timeout": (TLS, "test_handshake_timeout"),
        "max_handshakes": (TLS, "test_max_handshakes"),
    },
    "security": {
        "require_locked_memory": (COMMAND_LINE, "test_without_locked_memory_it_does_not_start_when_that_is_required"),
        "sandbox": (SANDBOX, "test_it_can_be_switched_off"),
        "require_landlock": (SANDBOX, "test_what_is_required_and_missing_stops_the_start"),
        "require_seccomp": (SANDBOX, "test_what_is_required_and_missing_stops_the_start"),
    },
    "log": {
        "access": (LOG, "test_text"),
        "shorten_addresses": (LOG, "test_the_client_behind_a_proxy_and_shortened_addresses"),
    },
    "installer": {
        **{key: (HERE, "test_settings_of_the_installer") for key in (
            "version", "unstable_version", "linux_url", "windows_url", "checksums_url", "deb_repo", "rpm_repo", "repo_keys",
            "use_repositories", "tacoscript_url", "sha256", "strict_checksums")},
        "package_dir": ("contract/test_packages.py", "test_a_file_comes_whole"),
        "templates": (HERE, "test_templates_of_the_operator"),
    },
}


class Table(unittest.TestCase):
    def test_every_key_has_a_test_that_names_it(self):
        documented = {heading.strip("`[]"): {row["key"].strip("`") for row in rows}
                      for heading, rows in manual.tables(manual.read("doc/configuration.md"))}
        self.assertEqual({table: set(keys) for table, keys in SHOWN_BY.items()}, documented)
        for table, keys in SHOWN_BY.items():
            for key, (path, test) in keys.items():
                text = manual.read("tests/" + path)
                self.assertRegex(text, rf"(?m)^    def {test}\(self\):$", f"[{table}] {key}")
                self.assertRegex(text, rf"{key}\b|https_service", f"[{table}] {key}")


class Effects(unittest.TestCase):
    def post(self, service, headers=None, **fields):
        return service.request("POST", "/", {"Content-Type": "application/json", **(headers or {})}, json.dumps({**GOOD, **fields}).encode())[0]

    def test_a_static_deposit(self):
        lines = "".join(f'  {key} = "{value}"\n' for key, value in GOOD.items())
        with Pairport('[static-deposit]\n  code = "fixed77"\n' + lines) as service:
            status, _, script = service.get("/fixed77")
            self.assertEqual(status, 200)
            for value in GOOD.values():
                self.assertIn(f"'{value}'".encode(), script)
            self.assertEqual(service.get("/fixed78")[0], 404)

    def test_memory_for_deposits(self):
        large = {"password": "p" * 1000, "connect_url": "http://h/" + "u" * 2000}
        with Pairport('[pairing]\n  max_memory = "1M"\n' + NO_LIMITS + "  network_share = 0\n") as service:
            taken = 0
            while (status := self.post(service, **large)) == 200 and taken < 1000:
                taken += 1
            self.assertEqual(status, 503)
            self.assertTrue(150 < taken < 350, taken)  # of some 3.3 KiB each

    def test_the_share_of_a_network(self):
        # A fifth of 100 in one IPv4 /24, when others have filled more than half of the store.
        crowd = [{"X-Forwarded-For": f"192.0.{i}.1"} for i in range(51)]
        network = [{"X-Forwarded-For": f"198.51.100.{i}"} for i in range(24)]
        for share, statuses in (("0.2", [200] * 20 + [429] * 4), ("0", [200] * 24)):
            config = f'[server]\n  trusted_proxies = ["127.0.0.1"]\n[pairing]\n  max_deposits = 100\n{NO_LIMITS}  network_share = {share}\n'
            with Pairport(config) as service:
                self.assertEqual([self.post(service, headers) for headers in crowd], [200] * 51)
                self.assertEqual([self.post(service, headers) for headers in network], statuses, f"network_share = {share}")

    SETTINGS = {  # key: value, and the scripts that hold it
        "version": ('"7.8.9"', "7.8.9", ("installer", "installer.ps1", "update", "update.ps1")),
        "unstable_version": ('"7.9.0"', "7.9.0", ("installer", "installer.ps1", "update", "update.ps1")),
        "linux_url": ('"https://a.example.com/{version}"', "https://a.example.com/{version}", ("installer", "update")),
        "windows_url": ('"https://b.example.com/{version}"', "https://b.example.com/{version}", ("installer.ps1", "update.ps1")),
        "checksums_url": ('"https://c.example.com/{version}"', "https://c.example.com/{version}", ("installer", "installer.ps1", "update", "update.ps1")),
        "deb_repo": ('"https://d.example.com"', "https://d.example.com", ("installer",)),
        "rpm_repo": ('"https://e.example.com"', "https://e.example.com", ("installer",)),
        "repo_keys": ('"https://f.example.com"', "https://f.example.com", ("installer",)),
        "tacoscript_url": ('"https://g.example.com/{os}"', "https://g.example.com/{os}", ("installer", "installer.ps1")),
    }

    def scripts(self, rest):
        with Pairport("[installer]\n" + rest) as service:
            path = "/" + service.deposit(**GOOD)["pairing_code"]
            return {name: service.get(name.replace("installer", path) if "installer" in name else "/" + name)[2].decode()
                    for name in ("installer", "installer.ps1", "update", "update.ps1")}

    def test_settings_of_the_installer(self):
        with_all = self.scripts("".join(f"  {key} = {text}\n" for key, (text, _, _) in self.SETTINGS.items()) +
                                f'  use_repositories = false\n  strict_checksums = true\n  sha256 = {{ "a.tar.gz" = "{"ab" * 32}" }}\n')
        without = self.scripts("")
        for key, (_, value, names) in self.SETTINGS.items():
            for name in names:
                self.assertIn(f"'{value}'", with_all[name], f"{key} in {name}")
                self.assertNotIn(value, without[name], f"{key} in {name}")
        assigned = re.compile(r"(?m)^\s*\$?(\w*(?:REPOSITORIES|STRICT|Strict)\w*) ?= ?'?(\$?true|\$?false)'?$")
        for name in ("installer", "installer.ps1", "update", "update.ps1"):
            self.assertIn("ab" * 32, with_all[name], f"sha256 in {name}")
            self.assertNotIn("ab" * 32, without[name])
            changed = set(assigned.findall(with_all[name])) - set(assigned.findall(without[name]))
            # Only the installer for Linux uses repositories.
            self.assertEqual(len(changed), 2 if name == "installer" else 1, f"use_repositories, strict_checksums in {name}: {changed}")

    def test_templates_of_the_operator(self):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "linux", "update.sh")
            file.parent.mkdir()
            file.write_text("echo an update of ours\n", encoding="utf-8")
            scripts = self.scripts(f'  templates = "{folder}"\n')
        self.assertIn("echo an update of ours", scripts["update"])
        self.assertNotIn("of ours", scripts["update.ps1"])


if __name__ == "__main__":
    runner.run()
