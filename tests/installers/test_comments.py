# SPDX-License-Identifier: MIT
"""What an administrator reads before running a Linux script as root: header, values, settings. And what that costs on the wire."""

import gzip
import http.client
import re
import unittest

import support

README = support.ROOT / "render" / "scripts" / "templates" / "linux" / "README.md"
# Bytes of the answer to GET /<code>.sh.gz, head included: a bound for what there is, so that growth is noticed.
WIRE = 26_000


class Comments(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with support.Pairport(support.configuration("http://127.0.0.1:1")) as service:
            code = service.deposit(connect_url="http://127.0.0.1:1", fingerprint=support.FINGERPRINT, client_id="it's",
                                   password="it's")["pairing_code"]
            cls.url = service.url
            cls.scripts = {"installer": service.get("/" + code)[2].decode(), "update": service.get("/update")[2].decode(),
                           "uninstall": service.get("/uninstall")[2].decode()}
            connection = http.client.HTTPConnection("127.0.0.1", service.port)
            connection.request("GET", f"/{code}.sh.gz")
            answer = connection.getresponse()
            cls.packed = answer.read()
            cls.head = sum(len(name) + len(value) + 4 for name, value in answer.getheaders()) + len("HTTP/1.1 200 OK\r\n\r\n")
            connection.close()

    def test_every_function_has_a_comment_above_it(self):
        for name, text in self.scripts.items():
            lines = text.splitlines()
            functions = [(lines[i - 1], line) for i, line in enumerate(lines) if re.match(r"[a-z_0-9]+\(\) ", line)]
            self.assertGreater(len(functions), 30, name)
            for above, line in functions:
                self.assertRegex(above, r"^# (?!shellcheck).{8,}", f"{name}: {line}")

    def test_the_functions_of_the_readme_exist(self):
        defined = set(re.findall(r"(?m)^([a-z_0-9]+)\(\) ", "\n".join(self.scripts.values())))
        named = set(re.findall(r"(?m)^\| `([a-z_0-9]+)[^`]*` \|", README.read_text(encoding="utf-8")))
        self.assertGreater(len(named), 10)
        self.assertEqual(named - defined, set())

    def test_the_header_says_what_is_changed_by_whom_and_how_it_ends(self):
        for name, text in self.scripts.items():
            header = re.match(r"#!/bin/sh\n((#.*\n)+)\{\n", text)[1]
            for part in ("https://github.com/openrport/openrport", "# Made by pairport ", self.url, "Exit code: 0 ", "/etc/rport",
                         "/etc/sudoers.d/rport-", "-n: "):
                self.assertIn(part, header, name)

    def test_comments_fit_a_terminal(self):
        for text in self.scripts.values():
            for line in text.splitlines():
                if line.startswith("#"):
                    self.assertLessEqual(len(line), 130, line)

    def test_made_at_and_valid_until_stand_with_the_values(self):
        text = self.scripts["installer"]
        time = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
        block = re.search(r"(?s)\n# values: begin\n(.*?)\n# values: end\n", text)[1]
        self.assertRegex(block, rf"\A# made {time}, valid until {time}\n")
        for name in ("FINGERPRINT", "CONNECT_URL", "CLIENT_ID", "PASSWORD"):
            self.assertRegex(block, rf"(?m)^{name}='")
        self.assertEqual(text.count("# values: "), 2)

    def test_bytes_on_the_wire(self):
        self.assertTrue(gzip.decompress(self.packed).startswith(b"#!/bin/sh\n"))
        size = len(self.packed) + self.head
        print(f"the packed installer takes {size} bytes with its head")
        self.assertLess(size, WIRE)


class DryRun(support.InstallerTest):
    def test_n_prints_the_settings_and_rules_that_it_would_write(self):
        with support.IsolatedRoot() as root:
            root.path("/etc/sudoers.d").mkdir(exist_ok=True)
            before = root.snapshot()
            result = root.run(self.script(), ["-n", "-x", "-r"])
            self.assertExit(result, 0)
            said = result.stdout.decode()
            settings = re.search(r"(?m)^would write /etc/rport/rport\.conf\n((  .*\n)+)", said)[1]
            for line in ("  [client]", f'    server = "{self.web.url}/connected"', "    auth = (client id and password)",
                         f'    fingerprint = "{support.FINGERPRINT}"', "  [remote-scripts]", "    enabled = true", "    allow = ['.*']"):
                self.assertIn(line + "\n", settings)
            self.assertEqual(root.changes(before), {})


if __name__ == "__main__":
    support.main()
