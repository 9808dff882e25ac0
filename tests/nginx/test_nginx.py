# SPDX-License-Identifier: MIT
"""The module in nginx: what is not the service's contract (tests/contract/test_contract.py runs against it, too) but nginx's
business: directives, logs, bodies, memory, reload, workers."""

import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

import runner
from nginx_process import Nginx, check_file, module
from pairport_process import binary, queues

ROOT = runner.ROOT
FINGERPRINT = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": FINGERPRINT, "client_id": "client1", "password": "foobaz"}
NO_LIMITS = "[limits]\n  deposits_per_second = 0\n  network_share = 0\n  misses_per_second = 0\n"
STATIC = f'pairport_static_deposit 0000000 http://rport.example.com:8080 {FINGERPRINT} client1 foobaz;'
JSON = "Content-Type: application/json\r\n"


def raw(port, *pieces, pause=0.0):
    """Sends the pieces, ends our side, gives everything that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                client.sendall(piece)
                if pause:
                    time.sleep(pause)
            client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before its end
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := client.recv(65536):
                answer += data
        return answer


def post(body, headers=JSON, length=True):
    return (f"POST / HTTP/1.1\r\nHost: x\r\n{headers}" + (f"Content-Length: {len(body)}\r\n" if length else "") + "\r\n").encode() + body


def chunked(body, size):
    pieces = [body[i:i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def padded(size, **fields):
    """A good deposit of exactly that many bytes."""
    body = json.dumps({**GOOD, **fields}).encode()
    return body[:-1] + b" " * (size - len(body)) + b"}"


def await_(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("did not happen in time")
        time.sleep(0.02)


def settings_of_library():
    """Kind, member and name of each setting: the rows of PAIRPORT_OPTIONS. A C++ test compares them with the rules."""
    header = (ROOT / "render" / "include" / "pairport" / "pairport.h").read_text(encoding="utf-8")
    return re.findall(r'^ +X\((text|flag|count|bytes|milliseconds|number), (\w+), "(\w+)"\)', header, re.M)


def directives_of_module():
    source = (ROOT / "nginx" / "directives.c").read_text(encoding="utf-8")
    assert "PAIRPORT_OPTIONS(PAIRPORT_DIRECTIVE)" in source
    return {f"pairport_{name}" for _, _, name in settings_of_library()} | set(
        re.findall(r'(?:PAIRPORT_SETTING\(|\{ngx_string\()"(pairport\w*)"', source)) - {"pairport_"}


def rules_of_library():
    """The settings that can be wrong, each by its name."""
    return {name for kind, _, name in settings_of_library() if kind != "flag"} | {"sha256"}


class Directives(unittest.TestCase):
    def refused(self, words, **options):
        code, said = Nginx(**options).check()
        self.assertNotEqual(code, 0, options)
        for word in words:
            self.assertIn(word, said)
        return said

    def accepted(self, **options):
        code, said = Nginx(**options).check()
        self.assertEqual(code, 0, said)

    def test_bad_values_are_named(self):
        digest = "a" * 64
        for directive, *words in [
                ("pairport_url ftp://x;", "pairport: url: expected an http or https URL with a host"),
                ("pairport_url http://x?y;", "pairport: url: expected"), ("pairport_url http://host:abc;", "pairport: url: expected"),
                ("pairport_ttl 48h;", "pairport: ttl: expected a duration from"),
                ("pairport_max_deposits 0;", "pairport: max_deposits: expected a whole number from 1"),
                ('pairport_linux_url "ftp://not a url";', "pairport: linux_url: expected an http or https URL"),
                ("pairport_url http://x; pairport_url http://y;", '"pairport_url" directive is duplicate'),
                ("pairport_ttl 0;", "pairport: ttl: expected a duration from"),
                ("pairport_ttl soon;", '"pairport_ttl" directive invalid value'),
                ("pairport_code_length 6;", "pairport: code_length: expected a whole number from 7 to 32"),
                ("pairport_code_length x;", '"pairport_code_length" directive invalid number'),
                ("pairport_max_memory x;", '"pairport_max_memory" directive invalid value'),
                ("pairport_deposits_per_second -1;", '"pairport_deposits_per_second" directive takes a number'),
                ("pairport_deposits_per_second 1.2.3;", "takes a number"), ("pairport_miss_burst .;", "takes a number"),
                ("pairport_miss_burst 1000001;", "pairport: miss_burst: expected a number from 0 (off) to 1000000"),
                ("pairport_ipv6_budgets 48:1;  pairport_ipv6_budgets 48:1;", '"pairport_ipv6_budgets" directive is duplicate'),
                ('pairport_ipv6_budgets "48:1 64:1";', "pairport: ipv6_budgets: expected prefixes of IPv6 networks"),
                ("pairport_network_share 2;", "pairport: network_share: expected a number from 0 (off) to 1"),
                ("pairport_miss_burst 1; pairport_miss_burst 1;", '"pairport_miss_burst" directive is duplicate'),
                ("pairport_static_deposit;", 'invalid number of arguments in "pairport_static_deposit"'),
                ("pairport_static_deposit 0000000 http://h;", "static-deposit: fingerprint is empty"),
                (STATIC.replace(";", " x;"), '"pairport_static_deposit" directive has more values than a deposit has fields'),
                (f"pairport_static_deposit update http://h {FINGERPRINT} id secret-password;", "static-deposit: code must be"),
                (f"pairport_static_deposit 0000000 http://h {FINGERPRINT} id:x secret-password;", "client_id contains a colon"),
                (STATIC + STATIC, '"pairport_static_deposit" directive is duplicate'),
                ("pairport_sha256 file abc;", "pairport: sha256: expected names of files without path and spaces, and SHA-256 digests"),
                (f"pairport_sha256 file {digest[:-1]}g;", "64 hexadecimal digits"),
                ("pairport_templates /nowhere;", 'pairport_templates: "/nowhere" is not a folder that can be read'),
                ("pairport_version 'a\tb';", "pairport: version: expected a version"),
                ("pairport_require_locked_memory maybe;", "it must be \"on\" or \"off\""),
                ("pairport_listen 80;", 'unknown directive "pairport_listen"'),
        ]:
            said = self.refused(words, http=directive)
            self.assertNotIn("secret-password", said)

    def test_a_location_needs_the_url(self):
        nginx = Nginx()
        nginx.prepare()
        try:
            path = pathlib.Path(nginx.write())
            path.write_text(re.sub(r"pairport_url .*", "", path.read_text(encoding="utf-8")), encoding="utf-8")
            code, said = check_file(path)
        finally:
            nginx.folder.cleanup()
        self.assertEqual(code, 1)
        self.assertIn("pairport_url is missing: the URL at which clients reach the location", said)

    def test_pairport_belongs_into_a_location(self):
        self.refused(['"pairport" directive is not allowed here'], http="pairport on;")

    def test_settings_may_stand_where_the_location_is(self):
        self.accepted(server="location / { pairport on; pairport_url http://x/; pairport_ttl 1m; }")
        self.accepted(server="pairport_url http://x/; location / { pairport on; } location /2/ { pairport on; }")
        self.refused(["is duplicate"], server="pairport_ttl 1m; location / { pairport on; pairport_url http://x/; pairport_ttl 1m; }")

    def test_more_than_one_worker_is_refused(self):
        for main in ("worker_processes 2;", "worker_processes 64;"):
            self.refused(["worker processes, and each would know only the codes that it handed out itself",
                          'set "worker_processes 1", or "pairport_first_worker on"'], main=main)
            self.accepted(main=main, http="pairport_first_worker on;")
            self.refused(['listen 127.0.0.1:', 'reuseport" gives each worker a socket of its own'], main=main, listen="reuseport",
                         http="pairport_first_worker on;")
            self.refused(['the first worker might wait forever: leave "accept_mutex" off'], main=main, events="accept_mutex on;",
                         http="pairport_first_worker on;")
            # Not its business:
            self.accepted(main=main, http="pairport_first_worker on; server { listen 127.0.0.1:1 reuseport; }")
        self.accepted(main="worker_processes 1;")
        self.accepted(main="worker_processes 2; master_process off;")
        self.accepted(main="worker_processes 2;", server="location / { return 204; }")
        self.accepted(main="worker_processes 2;", server="location / { pairport off; }")

    def test_workers_set_after_the_location_count_as_well(self):
        nginx = Nginx(main="#worker_processes\n")
        nginx.prepare()
        try:
            path = pathlib.Path(nginx.write())
            path.write_text(path.read_text(encoding="utf-8") + "worker_processes 3;\n", encoding="utf-8")
            code, said = check_file(path)
        finally:
            nginx.folder.cleanup()
        self.assertEqual(code, 1)
        self.assertIn("there are 3 worker processes", said)

    def test_the_example_is_valid(self):
        folder = ROOT / "packaging" / "nginx"
        self.assertEqual((folder / "mod-http-pairport.conf").read_text(encoding="utf-8").splitlines()[-1],
                         f"load_module modules/{os.path.basename(module())};")
        site = (folder / "pairport.conf").read_text(encoding="utf-8")
        site = re.sub(r"listen .*?;", "", site)
        everything = re.sub(r"#(pairport_|set_real|real_ip|location|  alias|  access_log|\})", r"\1", site)
        for text in (site, everything):
            self.accepted(http=text, server="")
        self.assertIn('\n  pairport_linux_url "{pairing_url}', everything)
        named = set(re.findall(r"\bpairport_\w+", everything))
        self.assertGreater(len(named), 12)


    def test_every_one_is_in_the_manual(self):
        manual = (ROOT / "doc" / "nginx.md").read_text(encoding="utf-8")
        self.assertGreater(len(directives_of_module()), 20)
        for name in directives_of_module():
            self.assertTrue(f"`{name} " in manual or f"`{name}`" in manual, name)
        variables = (ROOT / "nginx" / "variables.c").read_text(encoding="utf-8")
        for name in re.findall(r"\$(pairport_\w+)", manual):
            self.assertIn(f'ngx_string("{name}")', variables)

    def test_every_option_of_the_library_has_one(self):
        header = (ROOT / "render" / "include" / "pairport" / "pairport.h").read_text(encoding="utf-8")
        header = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
        structure = re.search(r"typedef struct pairport_options \{(.*?)\}", header, re.S)[1]
        members = set(re.findall(r"(\w+);", structure))
        source = (ROOT / "nginx" / "directives.c").read_text(encoding="utf-8")
        written = {member for _, member, _ in settings_of_library()} | set(
            re.findall(r"PAIRPORT_OPTION_MEMBER\([^()]*?(\w+)\)", source)) | set(re.findall(r"options->(\w+)", source))
        if "{PAIRPORT_STATIC_DEPOSIT(" in source:
            written |= set(re.findall(r"X\((static_\w+)\)", header))
        self.assertLessEqual({"url", "ttl_ms", "static_password", "network_share"}, written & members, "both are where they are looked for")
        # The size is nobody's setting; the module sets the others itself; it has no files to serve, the kernel's random bytes, the
        # service's own store, and nginx has other paths.
        others = {"size", "digests", "digest_count", "hash_codes", "load_template", "template_user", "serve_packages", "random", "random_user",
                  "store_elsewhere", "on_other_path", "other_path_user"}
        self.assertEqual(members - written, others)
        self.assertLessEqual({f"pairport_{name}" for name in rules_of_library()}, directives_of_module())

    def test_the_manuals_example_is_valid(self):
        manual = (ROOT / "doc" / "nginx.md").read_text(encoding="utf-8")
        example = re.search(r"```nginx\n(.*?)```", manual, re.S)[1]
        http = re.search(r"http \{\n(.*)\}\n", example, re.S)[1]
        self.assertIn("worker_processes 1;", example)
        self.accepted(http=re.sub("listen .*?;", "", http), server="")


class Parity(unittest.TestCase):
    """One rule for each setting: the program's file and nginx's take and refuse the same, for the same reason. What the
    C interface says is what nginx shows behind "pairport: "."""

    URL = "url: expected an http or https URL with a host"
    ROWS = [  # table, key, value in TOML, value in nginx, what is said when it is refused
        ("server", "url", '"http://x"', "http://x", None), ("server", "url", '"ftp://not a url"', '"ftp://not a url"', URL),
        ("server", "url", '"http://host:abc"', "http://host:abc", URL), ("server", "url", '"http://a@b"', "http://a@b", URL),
        ("server", "url", '"http://[::1"', "http://[::1", URL), ("server", "url", '"http://%%"', "http://%%", URL),
        ("pairing", "ttl", '"24h"', "24h", None), ("pairing", "ttl", '"48h"', "48h", "ttl: expected a duration from"),
        ("pairing", "code_length", "32", "32", None), ("pairing", "code_length", "33", "33", "code_length: expected a whole number from 7 to 32"),
        ("pairing", "max_deposits", "1", "1", None), ("pairing", "max_deposits", "0", "0", "max_deposits: expected a whole number from 1"),
        ("pairing", "max_memory", '"1M"', "1M", None), ("pairing", "max_memory", '"1K"', "1K", "max_memory: expected a size from"),
        ("pairing", "max_memory", '"31G"', "31G", "max_memory: expected a size from"),
        ("limits", "miss_burst", "1000000", "1000000", None), ("limits", "network_share", "1", "1", None),
        ("limits", "network_share", "1.1", "1.1", "network_share: expected a number from 0 (off) to 1"),
        *[("limits", key, "1000001", "1000001", f"{key}: expected a number from 0 (off) to 1000000")
          for key in ("deposits_per_second", "deposit_burst", "misses_per_second", "miss_burst")],
        ("limits", "ipv6_budgets", '"64:1"', "64:1", None),
        ("limits", "ipv6_budgets", '"48:1 64:1"', '"48:1 64:1"', "ipv6_budgets: expected prefixes of IPv6 networks"),
        ("installer", "version", '"0.9.14"', "0.9.14", None), ("installer", "version", '"a b"', '"a b"', "version: expected a version"),
        ("installer", "linux_url", '"http://x/{version}"', '"http://x/{version}"', None),
        ("installer", "unstable_version", '""', '""', "unstable_version: expected a version"),
        *[("installer", key, '"ftp://x"', "ftp://x", f"{key}: expected an http or https URL")
          for key in ("linux_url", "windows_url", "checksums_url", "deb_repo", "rpm_repo", "repo_keys", "tacoscript_url")],
        ("installer", "sha256", '{ "file" = "abc" }', "file abc", "sha256: expected names of files without path and spaces"),
    ]

    def batches(self):
        """The good values at once, and bad ones of several keys: both name everything that is wrong, nginx in one line of 2 KiB."""
        for good in (True, False):
            rows = [row for row in self.ROWS if (row[4] is None) == good]
            while rows:
                batch = {row[1]: row for row in reversed(rows if good else rows[:6])}
                rows = [row for row in rows if row not in batch.values()]
                yield good, list(batch.values())

    def test_every_rule_has_a_value_that_breaks_it(self):
        self.assertEqual({row[1] for row in self.ROWS if row[4] is not None}, rules_of_library())

    def test_the_program_and_nginx_take_the_same(self):
        for good, batch in self.batches():
            tables = {"server": ['url = "http://x"']}
            for table, key, toml, _, _ in batch:
                lines = tables.setdefault(table, [])
                lines[:] = [line for line in lines if not line.startswith(key)] + [f"{key} = {toml}"]
            config = "".join(f"[{table}]\n" + "\n".join(lines) + "\n" for table, lines in tables.items())
            with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
                file.write(config)
                file.flush()
                program = subprocess.run([binary(), "-c", file.name, "--check-config"], capture_output=True, text=True, timeout=60,
                                         check=False)
            code, nginx = Nginx(http="".join(f"pairport_{key} {value};" for _, key, _, value, _ in batch)).check()
            self.assertEqual((program.returncode == 0, code == 0), (good, good), config + program.stderr + nginx)
            for _, key, _, _, said in batch:
                if said is not None:
                    self.assertIn(said, nginx)
                    self.assertIn(said.split(": ")[1].removeprefix("expected "), program.stderr)
                    self.assertIn(key, program.stderr)


class Settings(unittest.TestCase):
    def test_every_one_arrives(self):
        digest = "ab" * 32
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o700)  # the master reads it, the worker cannot
            templates = pathlib.Path(folder, "linux")
            templates.mkdir()
            (templates / "uninstall.sh").write_text("#!/bin/sh\necho of my own\n", encoding="utf-8")
            with Nginx('[pairing]\n  ttl = "60s"\n  code_length = 12\n[installer]\n'
                       '  version = "9.8.7"\n  unstable_version = "9.9.0"\n  linux_url = "https://l.example.com/{version}"\n'
                       '  windows_url = "https://w.example.com/{pairing_url}"\n  checksums_url = "https://c.example.com/"\n'
                       '  deb_repo = "https://d.example.com/"\n  rpm_repo = "https://r.example.com/"\n'
                       '  repo_keys = "https://k.example.com/"\n  tacoscript_url = "https://t.example.com/"\n'
                       f'  templates = "{folder}"\n  sha256 = {{ "rport_9.8.7.tar.gz" = "{digest}" }}\n', http=STATIC) as nginx:
                answer = nginx.deposit(**GOOD)
                self.assertEqual(len(answer["pairing_code"]), 12)
                expires = time.strptime(answer["expires"], "%Y-%m-%dT%H:%M:%SZ")
                self.assertAlmostEqual(time.mktime(expires) - time.mktime(time.gmtime()), 60, delta=5)
                _, _, script = nginx.get("/0000000")
                for value in ("9.8.7", "9.9.0", "https://l.example.com/{version}", "https://d.example.com/", "https://r.example.com/",
                              "https://k.example.com/", "https://t.example.com/", "https://c.example.com/", digest):
                    self.assertIn(value.encode(), script)
                self.assertIn(f"https://w.example.com/{nginx.url}".encode(), nginx.get("/0000000.ps1")[2])
                self.assertEqual(nginx.get("/uninstall")[2], b"#!/bin/sh\necho of my own\n")
                nginx.reload()
                self.assertEqual(nginx.get("/uninstall")[2], b"#!/bin/sh\necho of my own\n")

    def test_a_bad_template_stops_the_start(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "windows").mkdir()
            pathlib.Path(folder, "windows", "update.ps1").write_text("{{nonsense}}\n", encoding="utf-8")
            code, said = Nginx(http=f"pairport_templates {folder};").check()
        self.assertNotEqual(code, 0)
        self.assertIn("windows/update.ps1", said)

    def test_repositories_can_be_switched_off(self):
        with Nginx(http="pairport_use_repositories off;" + STATIC) as off, Nginx(http=STATIC) as on:
            self.assertNotEqual(off.get("/0000000")[2], on.get("/0000000")[2].replace(on.url.encode(), off.url.encode()))

    def test_checksums_can_be_demanded(self):
        with Nginx(http="pairport_strict_checksums on;" + STATIC) as strict, Nginx(http=STATIC) as usual:
            self.assertIn(b"STRICT='true'", strict.get("/0000000")[2])
            self.assertIn(b"STRICT='false'", usual.get("/0000000")[2])

    def test_below_a_prefix(self):
        for prefix in ("/pair/", "/pair"):
            with Nginx(http="pairport_url https://x.example.com/pair;",
                       server=f"location {prefix} {{ pairport on; }} location / {{ return 418; }}") as nginx:
                status, _, body = nginx.request("POST", "/pair/", {"Content-Type": "application/json"}, json.dumps(GOOD).encode())
                self.assertEqual(status, 200)
                code = json.loads(body)["pairing_code"]
                nginx.secrets.add(code)
                self.assertIn(f"https://x.example.com/pair/{code}", json.loads(body)["installers"]["linux"])
                for path in (f"/pair/{code}", f"/pair/{code}.ps1", f"/pair/{code}?os=windows", f"/pair//{code}/", "/pair/update"):
                    self.assertEqual(nginx.get(path)[0], 200, path)
                self.assertEqual(nginx.get("/update")[0], 418)
                self.assertEqual(nginx.get("/pair?x")[0], 418 if prefix.endswith("/") else 200)
                self.assertEqual(nginx.get("/p%61ir/update")[0], 404, "an encoded prefix is not taken off")

    def test_in_blocks_of_the_location(self):
        with Nginx(NO_LIMITS, server="location / { pairport on; if ($http_x_test) { set $seen 1; } "
                   "limit_except GET POST { deny all; } }") as nginx:
            code = nginx.deposit(**GOOD)["pairing_code"]
            self.assertEqual(nginx.get("/" + code, headers={"X-Test": "1"})[0], 200)
            self.assertEqual(nginx.request("DELETE", "/" + code)[0], 403)

    def test_the_clients_address_is_that_of_realip(self):
        config = "[limits]\n  misses_per_second = 0.001\n  miss_burst = 2\n"
        with Nginx(config, http="set_real_ip_from 127.0.0.1; real_ip_header X-Forwarded-For;") as nginx:
            for address, statuses in [("192.0.2.1", [404, 404, 429]), ("192.0.2.2", [404]), ("2001:db8::1", [404, 404]),
                                      ("2001:db8::2", [429]), ("192.0.2.1", [429])]:
                for status in statuses:
                    self.assertEqual(nginx.get("/ABCDEFG", headers={"X-Forwarded-For": address})[0], status, address)


class Bodies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nginx = Nginx(NO_LIMITS, http="client_body_buffer_size 1k; client_body_in_file_only on;")
        cls.nginx.__enter__()
        cls.addClassCleanup(cls.nginx.__exit__, None, None, None)
        # Nobody may write there: whoever tries fails.
        cls.body_folder = pathlib.Path(cls.nginx.folder.name, "body")
        os.chown(cls.body_folder, os.getuid(), os.getgid())
        os.chmod(cls.body_folder, 0)
        cls.port = cls.nginx.port

    def tearDown(self):
        self.assertEqual(list(self.body_folder.iterdir()) if os.getuid() == 0 else [], [])
        self.assertNotIn(b"temporary file", self.nginx.log)

    def ok(self, answer):
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer[:300])
        self.assertIn(b"pairing_code", answer)

    def test_of_every_size_in_every_way(self):
        for size in (250, 1000, 1024, 1025, 4096, 8192, 16383, 16384):
            body = padded(size)
            self.assertEqual(len(body), size)
            request = post(body)
            split = len(request) - size
            self.ok(raw(self.port, request))
            self.ok(raw(self.port, request[:split], request[split:], pause=0.02))
            self.ok(raw(self.port, request[:split + 7], request[split + 7:split + 200], request[split + 200:], pause=0.02))
            for chunk in (1, 3, 100, 5000, 16384):
                encoded = post(chunked(body, chunk), JSON + "Transfer-Encoding: chunked\r\n", length=False)
                self.ok(raw(self.port, encoded))
                self.ok(raw(self.port, encoded[:150], encoded[150:4000], encoded[4000:], pause=0.01))

    def test_too_large(self):
        for size in (16385, 17000, 100_000, 3_000_000):
            body = padded(size)
            for request in (post(body), post(chunked(body, 4000), JSON + "Transfer-Encoding: chunked\r\n", length=False)):
                answer = raw(self.port, request)
                self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer[:200])
                self.assertIn(b"the body is larger than 16384 bytes\n", answer)
                self.assertIn(b"Access-Control-Allow-Origin: *", answer)
                self.assertIn(b"Connection: close", answer)
                self.assertEqual(answer.count(b"HTTP/1.1"), 1)

    def test_nobody_is_asked_for_what_is_too_large(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000\r\n\r\n")
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 413 "))
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            body = padded(9000)
            client.sendall(post(body, JSON + "Expect: 100-continue\r\n")[:-len(body)])
            self.assertEqual(client.recv(65536), b"HTTP/1.1 100 Continue\r\n\r\n")
            client.sendall(body)
            self.ok(client.recv(65536))

    def test_byte_by_byte(self):
        request = post(padded(300))
        self.ok(raw(self.port, *(request[i:i + 1] for i in range(len(request)))))

    def test_pipelined(self):
        body = padded(2000)
        one = post(body)
        answer = raw(self.port, one + b"GET /update HTTP/1.1\r\nHost: x\r\n\r\n" + one + b"HEAD /update HTTP/1.1\r\nHost: x\r\n\r\n" + one)
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", answer), [b"200"] * 5)
        self.assertEqual(answer.count(b"pairing_code"), 3)

    def test_a_body_where_none_belongs_is_no_request(self):
        answer = raw(self.port, post(padded(3000)).replace(b"POST / ", b"GET /update ") + b"GET /ABCDEFG HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", answer), [b"200", b"404"])
        answer = raw(self.port, post(padded(300), length=False))
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", answer), [b"411"], "what follows is not taken for a request")

    def test_who_goes_away_leaves_nothing_behind(self):
        request = post(padded(15000))
        for size in (10, 100, 200, 1000, 10000):
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
                    client.sendall(request[:size])
        self.ok(raw(self.port, request))

    def test_broken_chunks(self):
        for body in (b"zz\r\n", b"5\r\nabcdefgh\r\n", b"-1\r\n\r\n"):
            answer = raw(self.port, post(body, JSON + "Transfer-Encoding: chunked\r\n", length=False))
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer[:200])
            self.assertIn(b"the request is not valid HTTP\n", answer)

    def test_http_2(self):
        with Nginx(NO_LIMITS, listen="http2") as nginx:
            def curl(*arguments):
                done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-i", *arguments], capture_output=True, timeout=30,
                                      input=padded(16000), check=False)
                self.assertEqual(done.returncode, 0, done.stderr)
                return done.stdout
            for how in (["--data-binary", "@-"], ["-X", "POST", "-T", "-"]):  # with its length, and without
                answer = curl(*how, "-H", "Content-Type: application/json", nginx.url + "/")
                self.assertTrue(answer.startswith(b"HTTP/2 200"), answer[:200])
            code = json.loads(answer.split(b"\r\n\r\n", 1)[1])["pairing_code"]
            nginx.secrets.add(code)
            script = curl(f"{nginx.url}/{code}")
            self.assertIn(b"PASSWORD='foobaz'", script)
            self.assertIn(b"\r\naccess-control-allow-origin: *\r\n", answer)
            self.assertNotIn(b"access-control-allow-origin", script)
            self.assertTrue(curl("-I", f"{nginx.url}/{code}").startswith(b"HTTP/2 200"))
            self.assertTrue(curl("-X", "OPTIONS", nginx.url + "/").startswith(b"HTTP/2 204"))
            self.assertTrue(curl(f"{nginx.url}/ABCDEFG").startswith(b"HTTP/2 404"))


class BodiesElsewhere(unittest.TestCase):
    """Whatever else nginx or its other modules do with a body: none of it is in a file."""

    def files(self, nginx):
        return [path for path in pathlib.Path(nginx.folder.name).rglob("*") if path.is_file() and b"foobaz" in path.read_bytes()]

    @staticmethod
    def let_it_write(nginx):
        os.chmod(nginx.folder.name, 0o711)  # else the worker could not write its files, and answered 500

    def test_a_mirrored_location_is_refused(self):
        for what in ("mirror /copy;", "mirror /copy; mirror_request_body off;"):
            for options in ({"server": f"location / {{ pairport on; {what} }}"}, {"server": f"{what} location / {{ pairport on; }}"},
                            {"http": what}):
                code, said = Nginx(**options).check()
                self.assertNotEqual(code, 0, options)
                self.assertIn('pairport: "mirror" would send codes and credentials of the location "/"', said)
                self.assertIn('set "mirror off" in this location', said)
        code, said = Nginx(server="mirror /copy; location / { pairport on; mirror off; } location /copy { return 204; }").check()
        self.assertEqual(code, 0, said)

    def test_no_setting_of_nginx_puts_a_body_into_a_file(self):
        for settings in ("client_body_in_file_only on;", "client_body_in_file_only clean; client_body_buffer_size 1;",
                         "client_body_in_single_buffer on; client_body_buffer_size 16;",
                         "auth_request /auth; client_body_in_file_only on; client_body_buffer_size 16;"):
            with Nginx(NO_LIMITS, http="client_body_in_file_only on; client_body_buffer_size 16;",
                       server=f"location / {{ pairport on; {settings} }} location = /auth {{ return 204; }}") as nginx:
                self.let_it_write(nginx)
                for request in (post(padded(300)), post(padded(16384)),
                                post(chunked(padded(5000), 7), JSON + "Transfer-Encoding: chunked\r\n", length=False),
                                post(padded(60_000))):
                    split = request.index(b"\r\n\r\n") + 100
                    answer = raw(nginx.port, request[:split], request[split:], pause=0.02)
                    self.assertRegex(answer, rb"^HTTP/1.1 (200 OK|413 )")
                self.assertEqual(self.files(nginx), [], settings)
                self.assertNotIn(b"temporary file", nginx.log)

    def test_the_search_finds_the_body_of_another_location(self):
        with Nginx(NO_LIMITS, http="client_body_in_file_only on;",
                   server="location / { pairport on; } location /seen { mirror /copy; } location /copy { return 204; }") as nginx:
            self.let_it_write(nginx)
            self.assertTrue(raw(nginx.port, post(padded(300))).startswith(b"HTTP/1.1 200 OK"))
            self.assertEqual(self.files(nginx), [])
            raw(nginx.port, post(padded(300)).replace(b"POST / ", b"POST /seen "))
            self.assertEqual(len(self.files(nginx)), 1)


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.nginx = Nginx(NO_LIMITS, http=STATIC + "gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any; etag on;")
        cls.nginx.__enter__()
        cls.addClassCleanup(cls.nginx.__exit__, None, None, None)

    def test_nginx_compresses_none_of_them(self):
        gzip = {"Accept-Encoding": "gzip"}
        status, headers, _ = self.nginx.request("POST", "/", {"Content-Type": "application/json", **gzip}, json.dumps(GOOD).encode())
        self.assertEqual((status, headers["Content-Encoding"]), (200, None))
        for path, encoding in (("/0000000", "gzip"), ("/ABCDEFG", None), ("/a/b", None)):
            _, headers, body = self.nginx.get(path, headers=gzip)
            self.assertEqual(headers["Content-Encoding"], encoding)
            self.assertEqual(int(headers["Content-Length"]), len(body))

    def test_conditions_are_the_services_business(self):
        etag = self.nginx.get("/update")[1]["ETag"]
        self.assertEqual(self.nginx.get("/update", headers={"If-None-Match": etag})[0], 304)
        for header in ({"If-Match": '"x"'}, {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, {"Range": "bytes=0-9"},
                       {"If-Modified-Since": "Thu, 01 Jan 2037 00:00:00 GMT"}):
            self.assertEqual(self.nginx.get("/0000000", headers=header)[0], 200, header)

    def test_what_nginx_refuses_looks_like_a_refusal_of_ours(self):
        long_line = b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
        for request, status, text in [
                (b"GET /0000000 HTTP/1.x\r\nHost: x\r\n\r\n", 400, b"the request is not valid HTTP\n"),
                (b"GET /0000000 HTTP/1.1\rX\r\n\r\n", 400, b"the request is not valid HTTP\n"),
                (b"GET /0000000 HTTP/1.1\r\n\r\n", 400, b"the request is not valid HTTP\n"),
                (b"G=T /0000000 HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"the request is not valid HTTP\n"),
                (b"GET /0000000 HTTP/2.0\r\nHost: x\r\n\r\n", 505, b"this server speaks HTTP/1.0 and HTTP/1.1\n"),
                (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400, b"malformed % escape\n"),
                (b"GET /../0000000 HTTP/1.1\r\nHost: x\r\n\r\n", 404, b"404 page not found\n"),
                (b"POST /% HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 400, b"malformed % escape\n"),
                (b"TRACE /0000000 HTTP/1.1\r\nHost: x\r\n\r\n", 405, b"GET or HEAD; deposits go to the path /\n"),
                (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, b"the request uses what this server does not know\n"),
                (long_line, 431, b"the request head is larger than this server takes\n"),
        ]:
            answer = raw(self.nginx.port, request)
            self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), (request[:60], answer[:200]))
            self.assertTrue(answer.endswith(text), (request[:60], answer))
            self.assertNotIn(b"foobaz", answer)
            # What may have been a deposit is for user interfaces to show; what is known to be none is not.
            self.assertEqual(b"Access-Control-Allow-Origin: *" in answer, request.startswith((b"POST / ", b"G=T ")), request[:60])
            self.assertIn(b"Cache-Control: no-store", answer)
        self.assertNotIn(b"foobaz", raw(self.nginx.port, b"GET /0000000\r\n"), "no script for HTTP/0.9")

    def test_a_busy_server_says_when_to_come_back(self):
        with Nginx(NO_LIMITS, http="limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;",
                   server="limit_req zone=z; error_page 503 /pairport-error; location / { pairport on; } "
                   "location = /pairport-error { internal; limit_req_status 503; pairport on; }") as nginx:
            code = nginx.deposit(**GOOD)["pairing_code"]
            status, headers, body = nginx.get("/" + code)
            self.assertEqual((status, body), (503, b"the server is busy; try again later\n"))
            self.assertEqual(headers["Retry-After"], "10")
            await_(lambda: nginx._read_log(0.1) or b"limiting requests" in nginx.log)

    def test_a_slow_reader_gets_all_of_it_whatever_becomes_of_the_deposit(self):
        for sendfile in ("sendfile on; tcp_nopush on;", "sendfile on; aio threads;", "sendfile off;"):
            with Nginx('[pairing]\n  ttl = "1s"\n  max_deposits = 1\n' + NO_LIMITS, listen="sndbuf=4k", sendfile=sendfile) as nginx:
                code = nginx.deposit(**GOOD)["pairing_code"]
                whole = nginx.get("/" + code)[2]
                self.assertIn(b"PASSWORD='foobaz'", whole)
                self.assertEqual(nginx.get("/" + code, headers={"Range": "bytes=0-9"})[2], whole)
                with socket.socket() as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                    client.connect(("127.0.0.1", nginx.port))
                    client.sendall(f"GET /{code} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                    answer = client.recv(10)
                    await_(lambda: nginx.get("/" + code)[0] == 404)
                    # There is room for another one when it has been wiped.
                    await_(lambda nginx=nginx: nginx.request("POST", "/", {"Content-Type": "application/json"},
                                                             json.dumps(GOOD).encode())[0] == 200)
                    for _ in range(200):  # its scratch, if it were free, would be somebody else's by now
                        nginx.get("/ABCDEFG")
                    while data := client.recv(1000):
                        answer += data
                self.assertEqual(answer.split(b"\r\n\r\n", 1)[1], whole)

    def test_answers_are_the_same_with_and_without_sendfile(self):
        paths = ["/0000000", "/0000000.ps1", "/update", "/update.ps1", "/uninstall", "/ABCDEFG"]
        bodies = []
        for sendfile in ("sendfile on; tcp_nopush on;", "sendfile on; aio threads;", "sendfile off;", "sendfile on; sub_filter not-there-at-all x;"
                         "sub_filter_types *;"):
            with Nginx(NO_LIMITS, http=STATIC + "pairport_url http://x;", sendfile=sendfile) as nginx:
                bodies.append([nginx.get(path, headers=headers)[2] for path in paths for headers in ({}, {"Accept-Encoding": "gzip"})])
                if os.getuid() == 0 and sendfile.startswith("sendfile on; tcp"):
                    self.assertIn(b"sendfile(", self.system_calls(nginx))
        for other in bodies[1:]:
            self.assertEqual(other, bodies[0])

    def system_calls(self, nginx):
        with tempfile.NamedTemporaryFile() as log:
            tracer = subprocess.Popen(["strace", "-q", "-e", "trace=sendfile", "-o", log.name, "-p", str(nginx.worker())],
                                      stderr=subprocess.PIPE)
            try:
                await_(lambda: "TracerPid:\t0" not in pathlib.Path(f"/proc/{nginx.worker()}/status").read_text(encoding="utf-8"))
                nginx.get("/0000000")
            finally:
                tracer.terminate()
                tracer.communicate(timeout=20)
            return pathlib.Path(log.name).read_bytes()

    def test_expired_deposits_make_room(self):
        with Nginx('[pairing]\n  ttl = "1s"\n  max_deposits = 5\n' + NO_LIMITS) as nginx:
            def post_one():
                status, headers, _ = nginx.request("POST", "/", {"Content-Type": "application/json"}, json.dumps(GOOD).encode())
                return status, headers["Retry-After"]
            for _ in range(5):
                nginx.deposit(**GOOD)
            self.assertEqual(post_one(), (503, "60"))
            await_(lambda: post_one() == (200, None))
            await_(lambda: nginx._read_log(0.1) or b"deposits were refused for lack of room" in nginx.log)


class Logs(unittest.TestCase):
    def test_other_locations_are_logged_as_ever(self):
        with Nginx(server="location / { pairport on; } location /other { return 204; }") as nginx:
            code = nginx.deposit(**GOOD)["pairing_code"]
            nginx.get("/" + code)
            nginx.get("/other")
        self.assertIn(b"GET /other HTTP/1.1", nginx.log)
        self.assertNotIn(code.encode(), nginx.log)
        self.assertNotIn(b"POST /", nginx.log)

    def test_short_codes_and_guesses_are_told(self):
        with Nginx("[pairing]\n  code_length = 7\n[limits]\n  misses_per_second = 0.01\n  miss_burst = 1\n") as nginx:
            self.assertEqual([nginx.get("/ABCDEFGHIJ")[0] for _ in range(3)], [404, 429, 429])
            await_(lambda: nginx._read_log(0.1) or b": 1 look-ups of codes that do not exist, by all clients together, since" in nginx.log)
        self.assertIn(b"pairport_code_length: codes of 7 characters are short", nginx.log)
        self.assertIn(b"found after 1.1 hours on average", nginx.log)
        with Nginx() as nginx:
            nginx.get("/update")
        self.assertNotIn(b"pairport_code_length", nginx.log)

    def test_an_access_log_without_codes(self):
        with Nginx(http="log_format pairport '$remote_addr $request_method $pairport_route $pairport_code_hash $status';",
                   server="location / { pairport on; pairport_access_log on; access_log $LOG pairport; }".replace(
                       "$LOG", "/dev/stderr")) as nginx:
            code = nginx.deposit(**GOOD)["pairing_code"]
            for path in ("/" + code, "/" + code, "/ABCDEFG", "/update", "/a/b"):
                nginx.get(path)
        lines = re.findall(rb"^127\.0\.0\.1 .*$", nginx.log, re.M)
        self.assertEqual(lines[0], b"127.0.0.1 POST deposit - 200")
        self.assertRegex(lines[1], rb"^127\.0\.0\.1 GET installer [0-9a-f]{8} 200$")
        self.assertEqual(lines[1], lines[2])
        self.assertRegex(lines[3], rb"^127\.0\.0\.1 GET installer [0-9a-f]{8} 404$")
        self.assertNotEqual(lines[3][24:32], lines[2][24:32])
        self.assertEqual(lines[4:], [b"127.0.0.1 GET update - 200", b"127.0.0.1 GET other - 404"])

    def test_errors_do_not_show_the_request(self):
        with Nginx(NO_LIMITS, http="limit_req_zone $binary_remote_addr zone=z:1m rate=1r/m;",
                   server="location / { pairport on; limit_req zone=z; }") as nginx:
            code = nginx.deposit(**GOOD)["pairing_code"]
            self.assertEqual(nginx.get("/" + code)[0], 503)
        self.assertIn(b"limiting requests, excess", nginx.log)
        self.assertIn(b"request: of a location with pairport", nginx.log)
        self.assertNotIn(code.encode(), nginx.log)


def readable_memory(pid):
    """Every writable mapping that can be read; memfd_secret's cannot."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            area, rights, *_ = line.split()
            begin, end = (int(number, 16) for number in area.split("-"))
            if not rights.startswith("rw"):
                continue
            with contextlib.suppress(OSError, ValueError, OverflowError):
                memory.seek(begin)
                yield line.strip(), memory.read(end - begin)


@unittest.skipUnless(os.getuid() == 0, "reads the memory of another process: needs root")
@unittest.skipIf(os.environ.get("PAIRPORT_SANITIZE"), "AddressSanitizer keeps what was freed")
class Memory(unittest.TestCase):
    SECRETS = {"client_id": "id-Zq81mXw2", "password": "pw-Kv93nRt7", "connect_url": "http://host-Lp47sYd5:8080"}

    def found(self, nginx, secrets):
        return [(secret, where) for where, data in readable_memory(nginx.worker()) for secret in secrets if secret.encode() in data]

    def await_nothing(self, nginx, secrets):
        """What has expired is wiped at the next tick."""
        deadline = time.monotonic() + 20
        while found := self.found(nginx, secrets):
            self.assertLess(time.monotonic(), deadline, found)
            time.sleep(0.02)

    def use(self, nginx, send):
        """Deposits and look-ups of every kind; the codes."""
        codes = []
        body = json.dumps({**GOOD, **self.SECRETS}).encode()
        for request in (post(body), post(chunked(body, 10), JSON + "Transfer-Encoding: chunked\r\n", length=False),
                        post(body.replace(b"password", b"passwort")), post(body[:-1])):
            split = len(request) - len(body) // 2
            for pieces in ([request], [request[:split], request[split:]]):
                codes += re.findall(rb'"pairing_code":"(\w+)"', send(*pieces))
        for code in codes:
            for head in (b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", b"HEAD /%s HTTP/1.1\r\nHost: x\r\n\r\n",
                         b"GET /%s.ps1 HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n"):
                send(head % code)
            send(b"GET //%%%x%s HTTP/1.1\r\nHost: x\r\n\r\n" % (code[0], code[1:]) + b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % code)
        self.assertEqual(len(codes), 4)
        return [code.decode() for code in codes]

    def test_nothing_is_left_when_a_deposit_has_expired(self):
        with Nginx('[pairing]\n  ttl = "2s"\n' + NO_LIMITS) as nginx:
            codes = self.use(nginx, lambda *pieces: raw(nginx.port, *pieces, pause=0.02))
            await_(lambda: nginx.get("/" + codes[0])[0] == 404)
            self.await_nothing(nginx, [*self.SECRETS.values(), *codes[1:]])

    def test_the_search_finds_what_is_there(self):
        with Nginx() as nginx, socket.create_connection(("127.0.0.1", nginx.port), timeout=20) as client:
            # While its body is awaited.
            client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Needle: needle-Mv60qTe4\r\nContent-Length: 9\r\n\r\n")
            await_(lambda: self.found(nginx, ["needle-Mv60qTe4"]))
            self.assertEqual(self.found(nginx, ["needle-Mv60qTe5"]), [])

    def test_the_worker_is_not_dumpable(self):
        with Nginx() as nginx:
            worker = nginx.worker()
            status = pathlib.Path(f"/proc/{worker}/status").read_text(encoding="utf-8")
            self.assertNotIn("Uid:\t0\t", status, "else this proves nothing")
            self.assertEqual(os.stat(f"/proc/{worker}/environ").st_uid, 0)

    def test_over_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = os.path.join(folder, "key"), os.path.join(folder, "certificate")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                            "-out", certificate, "-subj", "/CN=localhost", "-days", "2"], check=True, capture_output=True, timeout=60)
            context = ssl.create_default_context(cafile=certificate)
            context.check_hostname = False
            with Nginx('[pairing]\n  ttl = "2s"\n' + NO_LIMITS, listen="ssl",
                       http=f"ssl_certificate {certificate}; ssl_certificate_key {key};") as nginx:
                def send(*pieces):
                    with context.wrap_socket(socket.create_connection(("127.0.0.1", nginx.port), timeout=20)) as client:
                        client.settimeout(0.5)
                        for piece in pieces:
                            client.sendall(piece)
                            time.sleep(0.02)
                        answer = b""
                        with contextlib.suppress(TimeoutError):
                            while data := client.recv(65536):
                                answer += data
                        return answer
                codes = self.use(nginx, send)
                await_(lambda: b"#No pairing" in send(f"GET /{codes[0]} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))
                self.await_nothing(nginx, [*self.SECRETS.values()])


class Processes(unittest.TestCase):
    def test_reload_forgets_codes_and_finishes_answers(self):
        with Nginx(NO_LIMITS, http=STATIC, listen="sndbuf=4k") as nginx:
            code = nginx.deposit(**GOOD)["pairing_code"]
            old = nginx.worker()
            whole = nginx.get("/" + code)[2]
            request = post(padded(1000))
            with socket.socket() as reader, socket.create_connection(("127.0.0.1", nginx.port), timeout=20) as depositor:
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                reader.connect(("127.0.0.1", nginx.port))
                reader.sendall(f"GET /{code} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                answer = reader.recv(10)
                depositor.sendall(request[:500])
                await_(lambda: queues(depositor)[1] == 0)  # the worker has read it
                nginx.reload()
                self.assertNotEqual(nginx.worker(), old)
                await_(lambda: nginx._read_log(0.1) or b"gracefully shutting down" in nginx.log)
                self.assertEqual(nginx.get("/" + code)[0], 404, "the new worker knows nothing of it")
                self.assertEqual(nginx.get("/0000000")[0], 200, "what the configuration says is there")
                fresh = nginx.deposit(**GOOD)["pairing_code"]
                self.assertEqual(nginx.get("/" + fresh)[0], 200)
                # The old one finishes what it had begun.
                depositor.sendall(request[500:])
                self.assertTrue(depositor.recv(65536).startswith(b"HTTP/1.1 200 OK"))
                while data := reader.recv(1000):
                    answer += data
                self.assertEqual(answer.split(b"\r\n\r\n", 1)[1], whole)
            await_(lambda: nginx._read_log(0.1) or f"worker process {old} exited with code 0".encode() in nginx.log)

    def test_a_bad_configuration_changes_nothing(self):
        with Nginx(NO_LIMITS) as nginx:
            code = nginx.deposit(**GOOD)["pairing_code"]
            for change, words in (({"main": "worker_processes 2;"}, b"each would know only the codes"),
                                  ({"main": "", "http": "pairport_code_length 5;"}, b"code_length: expected a whole number from 7 to 32")):
                for name, value in change.items():
                    setattr(nginx, name, value)
                nginx.write()
                nginx.process.send_signal(signal.SIGHUP)
                await_(lambda words=words: nginx._read_log(0.1) or words in nginx.log)
                self.assertEqual(nginx.get("/" + code)[0], 200)

    def test_stopping_in_the_middle(self):
        for number in (signal.SIGTERM, signal.SIGQUIT):
            with Nginx('[pairing]\n  ttl = "1h"\n' + NO_LIMITS, listen="sndbuf=4k") as nginx:
                code = nginx.deposit(**GOOD)["pairing_code"]
                with socket.socket() as reader, socket.create_connection(("127.0.0.1", nginx.port), timeout=20) as depositor:
                    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                    reader.connect(("127.0.0.1", nginx.port))
                    reader.sendall(f"GET /{code} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
                    reader.recv(10)
                    depositor.sendall(post(padded(1000))[:500])
                    await_(lambda depositor=depositor: queues(depositor)[1] == 0)  # the worker has read it
                    nginx.process.send_signal(number)
                    if number == signal.SIGTERM:
                        self.assertEqual(nginx.process.wait(20), 0)
                self.assertEqual(nginx.process.wait(20), 0)
                self.assertEqual(nginx.stop(), 0)
                self.assertNotIn(b"exited on signal", nginx.log)

    def test_the_signal_to_open_logs_anew_loses_nothing(self):
        with Nginx(NO_LIMITS) as nginx:
            code = nginx.deposit(**GOOD)["pairing_code"]
            worker = nginx.worker()
            for process in (nginx.process.pid, worker):
                os.kill(process, signal.SIGUSR1)
            for _ in range(20):
                self.assertEqual(nginx.get("/" + code)[0], 200)
            self.assertEqual(nginx.worker(), worker)

    def test_one_process_without_a_master(self):
        with Nginx(NO_LIMITS, main="master_process off; worker_processes 4;") as nginx:
            self.assertEqual(nginx.get("/" + nginx.deposit(**GOOD)["pairing_code"])[0], 200)

    def test_several_workers_of_which_the_first_has_the_service(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            other = os.path.join(folder, "other")
            here = os.path.join(folder, "here")
            with Nginx(NO_LIMITS, main="worker_processes 3;", listen=f"; listen unix:{here}",
                       http=f"pairport_first_worker on; server {{ listen unix:{other}; return 204; }}") as nginx:
                self.assertEqual(nginx.log.count(b"memory for credentials"), 1)
                def ask(path, request=b"GET /update HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", seconds=20):
                    with socket.socket(socket.AF_UNIX) as client:
                        client.settimeout(seconds)
                        client.connect(path)
                        client.sendall(request)
                        return client.recv(100)
                for _ in range(50):
                    code = nginx.deposit(**GOOD)["pairing_code"]
                    self.assertEqual(nginx.get("/" + code)[0], 200)
                    self.assertTrue(ask(here, f"GET /{code} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).startswith(b"HTTP/1.1 200"))
                    self.assertTrue(ask(other).startswith(b"HTTP/1.1 204"))
                first = int(re.search(rb"\[(?:notice|warn)\] (\d+)#\d+: pairport ", nginx.log)[1])
                os.kill(first, signal.SIGSTOP)
                try:
                    # Until it has stopped the kernel may still wake it, and nobody else, for a connection.
                    await_(lambda: pathlib.Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[0] == "T")
                    for _ in range(20):
                        self.assertTrue(ask(other).startswith(b"HTTP/1.1 204"), "by others")
                    with self.assertRaises(TimeoutError):
                        ask(here, seconds=0.5)
                    with socket.create_connection(("127.0.0.1", nginx.port), timeout=0.5) as client:
                        client.sendall(b"GET /update HTTP/1.1\r\nHost: x\r\n\r\n")
                        with self.assertRaises(TimeoutError):
                            client.recv(1)
                        os.kill(first, signal.SIGCONT)
                        client.settimeout(20)
                        self.assertEqual(client.recv(15), b"HTTP/1.1 200 OK")
                finally:
                    os.kill(first, signal.SIGCONT)
                self.assertEqual(nginx.get("/" + code)[0], 200)
                nginx.reload()
                # It says so before it closes its sockets: only its end means that it accepts no more.
                await_(lambda first=first: not os.path.exists(f"/proc/{first}"))
                for _ in range(20):
                    self.assertEqual(nginx.get("/" + nginx.deposit(**GOOD)["pairing_code"])[0], 200)
                self.assertNotIn(b"answer 503", nginx.log)

    @unittest.skipUnless(os.getuid() == 0, "only then the worker has less rights than its master")
    def test_a_worker_without_locked_memory_serves_everything_else(self):
        forbid = lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
        with Nginx(http="pairport_require_locked_memory on;", preexec=forbid,
                   server="location / { pairport on; } location /other { return 204; }") as nginx:
            self.assertEqual(nginx.get("/update")[0], 503)
            self.assertEqual(nginx.get("/other")[0], 204)
        self.assertIn(b'locations with "pairport on" answer 503: ', nginx.log)
        self.assertIn(b"raise RLIMIT_MEMLOCK", nginx.log)
        with Nginx(preexec=forbid) as nginx:
            nginx.deposit(**GOOD)
        self.assertIn(b"[warn]", nginx.log)
        self.assertIn(b"memory for credentials: plain", nginx.log)

    @unittest.skipIf(os.environ.get("PAIRPORT_SANITIZE"), "AddressSanitizer keeps what was freed")
    def test_memory_does_not_grow(self):
        def resident(nginx):
            return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{nginx.worker()}/status").read_text(encoding="utf-8"))[1])
        with Nginx('[pairing]\n  ttl = "1s"\n' + NO_LIMITS) as nginx:
            body = padded(4000)
            batch = (post(body) + post(chunked(body, 50), JSON + "Transfer-Encoding: chunked\r\n", length=False)
                     + b"GET /update HTTP/1.1\r\nHost: x\r\n\r\nGET /ABCDEFG HTTP/1.1\r\nHost: x\r\n\r\nGET /% HTTP/1.1\r\n\r\n")
            def work(times):
                for _ in range(times):
                    self.assertEqual(len(re.findall(rb"HTTP/1\.1 \d+", raw(nginx.port, batch))), 5)
            work(200)
            before = resident(nginx)
            work(1000)
            self.assertLess(resident(nginx) - before, 1500)


if __name__ == "__main__":
    runner.run()
