# SPDX-License-Identifier: MIT
"""The contract from the outside: a real program, real sockets, curl and raw bytes."""

import datetime
import email.utils
import gzip
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

import runner
from pairport_process import ROOT, Pairport

ALPHABET = "abcdefghijklmnpqrstuvwyxzABCDEFGHIJKLMNPQRSTUVWXYZ123456789"
FINGERPRINT = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": FINGERPRINT, "client_id": "client1", "password": "foobaz"}
SECRET = "hunter2"
NO_LIMITS = "[limits]\n  deposits_per_second = 0\n  network_share = 0\n  misses_per_second = 0\n"
STATIC = f"""
[static-deposit]
  code = "0000000"
  connect_url = "http://rport.example.com:8080"
  fingerprint = "{FINGERPRINT}"
  client_id = "client1"
  password = "foobaz"
"""
POWERSHELL = "Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.19041.1682"


def curl(*arguments):
    result = subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True, timeout=30)
    return result.returncode, result.stdout, result.stderr


class Contract(unittest.TestCase):
    @classmethod
    def tearDownClass(cls):
        cls.service.stop()
        for secret in (SECRET, "foobaz", "client1", "rport.example.com", "0000000"):
            assert secret.encode() not in cls.service.log, f"{secret} was logged"

    @classmethod
    def setUpClass(cls):
        cls.service = Pairport(f'[server]\n  url = "https://pairing.example.com/"\n{STATIC}{NO_LIMITS}')
        cls.service.__enter__()
        cls.addClassCleanup(cls.service.__exit__, None, None, None)

    def raw(self, data, seconds=20):
        """Sends bytes, ends our side, returns everything that comes back."""
        with socket.create_connection(("127.0.0.1", self.service.port), timeout=seconds) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := client.recv(65536):
                answer += piece
            return answer

    def post(self, body, content_type="application/json", **headers):
        if isinstance(body, str):
            body = body.encode()
        return self.service.request("POST", "/", {"Content-Type": content_type, **headers}, body)

    def assert_refused(self, answer, status, *words, cors="*"):
        got, headers, body = answer
        text = body.decode()
        self.assertEqual(got, status, text)
        self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertEqual(headers["Access-Control-Allow-Origin"], cors)
        self.assertEqual(headers["Access-Control-Expose-Headers"], cors and "Retry-After, ETag")
        self.assertTrue(text.endswith("\n") and text.count("\n") == 1 and text.isascii())
        for word in words:
            self.assertIn(word, text)
        self.assertNotIn(SECRET, text)
        return text

    # --- deposit ----------------------------------------------------------------------------------------------------

    def test_deposit_answer(self):
        status, headers, body = self.post(json.dumps(GOOD))
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "application/json")
        self.assertEqual(headers["Cache-Control"], "no-store")
        answer = json.loads(body)
        self.assertEqual(set(answer), {"pairing_code", "expires", "installers"})
        self.assertRegex(answer["pairing_code"], f"^[{ALPHABET}]{{10}}$")
        expires = datetime.datetime.strptime(answer["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
        left = (expires - datetime.datetime.now(datetime.timezone.utc)).total_seconds()
        self.assertTrue(595 <= left <= 601, left)

    def test_commands(self):
        answer = self.service.deposit(**GOOD)
        url = f"https://pairing.example.com/{answer['pairing_code']}"
        linux = answer["installers"]["linux"].split("\n")
        self.assertEqual(len(linux), 2, "exactly two lines, known tools take the second")
        self.assertIn(f" {url}.sh.gz ", linux[0])
        self.assertEqual(set(answer["installers"]), {"linux", "windows", "linux_oneline", "linux_wget", "windows_curl"})
        self.assertEqual(linux[1], "sudo sh rport-installer.sh", "options are appended to the last line")
        windows = answer["installers"]["windows"].split("\n")
        self.assertIn(f"'{url}'", answer["installers"]["windows"])
        self.assertTrue(windows[-1].endswith(r"-File .\rport-installer.ps1"))
        for command in answer["installers"].values():
            self.assertTrue(command.isascii())

    def test_preflight_then_json_from_a_browser_origin(self):
        origin = {"Origin": "https://ui.example.com"}
        status, headers, body = self.service.request("OPTIONS", "/", {
            **origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"})
        self.assertEqual((status, body), (204, b""))
        self.assertIsNone(headers["Content-Length"])
        self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        self.assertTrue(headers["Access-Control-Allow-Methods"].startswith("POST, GET, OPTIONS"))
        self.assertEqual(headers["Access-Control-Max-Age"], "3600")
        self.assertEqual(headers["Access-Control-Allow-Headers"],
                         "Content-Type, Access-Control-Allow-Headers, Authorization, X-Requested-With, "
                         "baggage, sentry-trace, traceparent, tracestate")
        status, headers, _ = self.post(json.dumps({**GOOD, "extra": [1, {"x": None}]}), "application/json;charset=UTF-8", **origin)
        self.assertEqual(status, 200)
        self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        for path in ("/anything", "/a/b/c", "*"):
            self.assertTrue(self.raw(f"OPTIONS {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).startswith(b"HTTP/1.1 204"))

    def test_curl_form_json_and_urlencoded(self):
        form = [argument for name, value in GOOD.items() for argument in ("--form-string", f"{name}={value}")]
        data = [argument for name, value in GOOD.items() for argument in ("--data-urlencode", f"{name}={value}")]
        json_body = ["-H", "Content-Type: application/json", "-d", json.dumps(GOOD)]
        chunked = ["-H", "Transfer-Encoding: chunked", *json_body]
        for arguments in (form, data, json_body, chunked, ["--http1.0", *json_body], ["-H", "Expect: 100-continue", *json_body]):
            code, out, err = curl("-f", *arguments, self.service.url)
            self.assertEqual(code, 0, err)
            self.assertIn("pairing_code", json.loads(out))

    def test_values_arrive_as_they_were_sent(self):
        nasty = {**GOOD, "client_id": " cl'i\"e`n\\t $(id) & | ; / \U0001f600 ", "password": "':p\"a\\\\s`s$w:o%r&d' \u2019\u00e4 "}
        form = [argument for name, value in nasty.items() for argument in ("--form-string", f"{name}={value}")]
        data = [argument for name, value in nasty.items() for argument in ("--data-urlencode", f"{name}={value}")]
        for arguments in (form, data, ["-H", "Content-Type: application/json", "-d", json.dumps(nasty)],
                          ["-H", "Content-Type: application/json", "-d", json.dumps(nasty, ensure_ascii=False)]):
            _, out, _ = curl(*arguments, self.service.url)
            _, _, script = self.service.get("/" + json.loads(out)["pairing_code"])
            for name in ("client_id", "password"):
                literal = "'" + nasty[name].replace("'", "'\\''") + "'"
                self.assertIn(f"{name.upper()}={literal}\n".encode(), script)

    def test_only_the_code_for_a_client_that_takes_only_text(self):
        status, headers, body = self.post(json.dumps(GOOD), Accept="text/plain")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(headers["Access-Control-Allow-Origin"], "*")
        self.assertRegex(body, rb"^[a-zA-Z1-9]{10}\n$")
        self.assertIn(b"foobaz", self.service.get("/" + body.decode().strip())[2])
        for accept in ("*/*", "text/plain, */*", "application/json, text/plain, */*", "text/html", "text/plain, application/json"):
            self.assertIn("pairing_code", json.loads(self.post(json.dumps(GOOD), Accept=accept)[2]), accept)
        self.assert_refused(self.post("{}", Accept="text/plain"), 400, "password is missing")

    def test_a_problem_document_lists_every_wrong_field(self):
        _, _, body = self.post(json.dumps({**GOOD, "client_id": f"a:{SECRET}", "fingerprint": f"SHA256:{SECRET}", "password": 1}),
                               Accept="application/json")
        errors = json.loads(body)["errors"]
        self.assertEqual([error["field"] for error in errors], ["fingerprint", "client_id", "password"])
        for error, words in zip(errors, ("32 digits", "without ':'", "1024 bytes")):
            self.assertIn(words, error["expected"])
            self.assertFalse(error["expected"].startswith("expected"))
        self.assertNotIn(SECRET.encode(), body)
        self.assertNotIn("errors", json.loads(self.post("{", Accept="application/json")[2]), "no field is wrong")

    def test_fingerprints_are_taken_as_openssh_writes_them(self):
        for given in ("MD5:" + FINGERPRINT, FINGERPRINT.replace(":", ""), "md5:" + FINGERPRINT.upper()):
            answer = self.service.deposit(**{**GOOD, "fingerprint": given})
            self.assertIn(f"'{FINGERPRINT}'".encode(), self.service.get("/" + answer["pairing_code"])[2], given)

    def test_a_fingerprint_is_rendered_in_lower_case(self):
        answer = self.service.deposit(**{**GOOD, "fingerprint": FINGERPRINT.upper()})
        _, _, script = self.service.get("/" + answer["pairing_code"])
        self.assertIn(f"'{FINGERPRINT}'".encode(), script)

    def test_bad_values_are_named_and_never_repeated(self):
        url, fingerprint, client, password = "connect_url ", "fingerprint ", "client_id ", "password "
        for changes, words in [
                ({"password": None}, [password + "is missing"]),
                ({"password": ""}, [password + "is empty"]),
                ({"client_id": "", "connect_url": ""}, [client + "is empty", url + "is empty"]),
                ({name: None for name in GOOD}, [url + "is missing", fingerprint + "is missing", client + "is missing", password + "is missing"]),
                ({"fingerprint": SECRET}, [fingerprint + "is not", "16 two-digit hexadecimal groups"]),
                ({"fingerprint": f"SHA256:{SECRET}"}, [fingerprint + "is a SHA256 fingerprint, but the client compares MD5 ones"]),
                ({"fingerprint": FINGERPRINT[:-3]}, [fingerprint + "is not"]),
                ({"fingerprint": FINGERPRINT + ":00"}, [fingerprint + "is not"]),
                ({"fingerprint": FINGERPRINT.replace("c", "g")}, [fingerprint + "is not"]),
                ({"fingerprint": FINGERPRINT.replace(":", "-")}, [fingerprint + "is not"]),
                ({"client_id": f"a:{SECRET}"}, [client + "contains a colon"]),
                ({"client_id": "x" * 257}, [client + "is too long", "256 bytes"]),
                ({"password": "x" * 1025}, [password + "is too long", "1024 bytes"]),
                ({"connect_url": "http://h/" + "x" * 2040}, [url + "is too long"]),
                ({"password": f"{SECRET}\n"}, [password + "contains a control character"]),
                ({"password": f"{SECRET}\x00"}, [password + "contains a control character"]),
                ({"password": f"{SECRET}\x7f"}, [password + "contains a control character"]),
                ({"connect_url": "http://"}, [url + "has no host"]),
                ({"connect_url": "http://:8080"}, [url + "has no host"]),
                ({"connect_url": f"http://{SECRET}@host"}, [url + "contains user info"]),
                ({"connect_url": "http://host:0"}, [url + "has no valid port"]),
                ({"connect_url": "http://host:65536"}, [url + "has no valid port"]),
                ({"connect_url": "host"}, [url + "has no valid port"]),
                ({"connect_url": f"http://host/#{SECRET}"}, [url + "is not a server address"]),
                ({"connect_url": "http://ho st/"}, [url + "is not a server address"]),
                ({"connect_url": "ftp://host"}, [url + "is not a server address (expected an http, https, ws or wss URL"]),
        ]:
            values = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
            text = self.assert_refused(self.post(json.dumps(values)), 400, *words)
            self.assertTrue(text.startswith("input validation failed: "), text)

    def test_good_values_at_their_limits(self):
        for changes in [{"client_id": "x" * 256}, {"password": "x" * 1024}, {"connect_url": "http://h/" + "x" * 2039},
                        {"password": ":"}, {"password": " "}, {"client_id": "\u00e4" * 128}, {"connect_url": "host:1"},
                        {"connect_url": "host:65535"}, {"connect_url": "wss://[2001:db8::1]:443/path?x=1"},
                        {"connect_url": "ws://h"}, {"connect_url": "HTTPS://h"}, {"connect_url": "[::1]:80"},
                        {"connect_url": "http://h/it's"}]:
            self.assertEqual(self.post(json.dumps({**GOOD, **changes}))[0], 200, changes)
        self.assertEqual(self.post(json.dumps({**GOOD, "client_id": "\u00e4" * 129}))[0], 400)

    def test_bad_json(self):
        good = json.dumps(GOOD)
        for body, words in [
                ("", ["empty"]), ("null", ["not an object"]), ("[]", ["not an object"]), ("[" + good + "]", ["not an object"]),
                ('"x"', ["not an object"]), ("5", ["not an object"]), ("{", ["not valid JSON"]), (good[:-1], ["not valid JSON"]),
                (good + good, ["not valid JSON"]), (good + "x", ["not valid JSON"]), ("{'a':1}", ["not valid JSON"]),
                (good[:-1] + ',"password":"again"}', ["password is given more than once"]),
                (good[:-1] + ',"passw\\u006frd":"again"}', ["password is given more than once"]),
                (good[:-1] + ',"x":1,"x":2}', ["same key more than once"]),
                (good.replace('"foobaz"', "5"), ["password is not a string"]),
                (good.replace('"foobaz"', "null"), ["password is not a string"]),
                (good.replace('"foobaz"', '{"a":1}'), ["password is not a string"]),
                (good.replace('"foobaz"', '["a"]'), ["password is not a string"]),
                (good.replace('"foobaz"', "true"), ["password is not a string"]),
                ('{"deposit":' + good + "}", ["connect_url is missing"]),
                (good.replace("password", "Password"), ["password is missing"]),
                ("{" * 10000, ["not valid JSON"]), ("[" * 5000, []),
                (good.replace("foobaz", "foo\\ud800baz"), []), (good.replace("foobaz", "foo\\u0000baz"), ["control character"]),
                (b"\xef\xbb\xbf" + good.encode(), []), (good.encode().replace(b"foobaz", b"foo\xffbaz"), ["UTF-8"]),
                (good.replace("foobaz", "foo\tbaz"), ["not valid JSON"]), (good.replace("foobaz", "foo\\xbaz"), ["not valid JSON"]),
        ]:
            self.assert_refused(self.post(body), 400, "input validation failed: ", *words)

    def test_bad_multipart(self):
        part = 'Content-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
        body = "".join(f"--b\r\n{part.format(name, value)}" for name, value in GOOD.items()) + "--b--\r\n"
        content_type = "multipart/form-data; boundary=b"
        self.assertEqual(self.post(body, content_type)[0], 200)
        self.assertEqual(self.post(body, 'Multipart/Form-Data; charset=utf-8; boundary="b"')[0], 200)
        for text, kind, words in [
                (body[:-6], content_type, ["ends before its closing boundary"]),
                (body[:100], content_type, ["ends"]),
                (body, "multipart/form-data; boundary=c", ["does not occur"]),
                (body, "multipart/form-data", ["needs a boundary"]),
                (body, "multipart/form-data; boundary=", ["needs a boundary"]),
                (body, "multipart/form-data; boundary=" + "b" * 71, ["needs a boundary"]),
                (body.replace(' name="password"', ""), content_type, ["Content-Disposition with a name"]),
                (body.replace("form-data; name=\"password\"", "attachment; name=\"password\""), content_type, ["not form-data"]),
                (body.replace("--b--", f"--b\r\n{part.format('password', 'again')}--b--"), content_type, ["password is given more than once"]),
                (body.replace("foobaz", ""), content_type, ["password is empty"]),
                (body.replace("\r\n", "\n"), content_type, []),
                ("", content_type, []),
        ]:
            self.assert_refused(self.post(text, kind), 400, "input validation failed: ", *words)

    def test_bad_urlencoded(self):
        content_type = "application/x-www-form-urlencoded"
        for body, words in [("", ["connect_url is missing"]), ("password=%zz", ["malformed % escape"]), ("password=%4", ["malformed % escape"]),
                            ("password=a&password=b", ["password is given more than once"]), ("password=%00", ["control character"]),
                            ("password=%ff", ["not valid UTF-8"])]:
            self.assert_refused(self.post(body, content_type), 400, *words)

    def test_other_content_types(self):
        accepted = ["application/json", "multipart/form-data", "application/x-www-form-urlencoded"]
        for kind in ("text/plain", "application/xml", "application/jsonx", "json", ""):
            self.assert_refused(self.post(json.dumps(GOOD), kind), 415, *accepted)
        answer = self.raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        self.assertTrue(answer.startswith(b"HTTP/1.1 415 "), answer)

    def test_bodies_that_are_too_large_or_have_no_length(self):
        self.assert_refused(self.post("x" * 17 * 1024), 413, "16384")
        chunks = b"400\r\n" + b"x" * 1024 + b"\r\n"
        answer = self.raw(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks * 17 + b"0\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        answer = self.raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n" + json.dumps(GOOD).encode())
        self.assertTrue(answer.startswith(b"HTTP/1.1 411 "), answer)
        answer = self.raw(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{}")
        self.assertEqual(answer, b"", "a body that never comes is no deposit")

    # --- look-up ----------------------------------------------------------------------------------------------------

    def test_installer_by_user_agent_parameter_and_suffix(self):
        code = self.service.deposit(**GOOD)["pairing_code"]
        for path, agent, windows in [("/" + code, "curl/8", False), ("/" + code, POWERSHELL, True), ("/" + code, "Wget/1.21", False),
                                     (f"/{code}?os=windows", "curl/8", True), (f"/{code}?os=linux", POWERSHELL, False),
                                     (f"/{code}.ps1", "curl/8", True), (f"/{code}.sh", POWERSHELL, False), (f"/{code}?x=os=1", "curl/8", False),
                                     (f"/{code}?a&os=windows&b", "curl/8", True), (f"//{code}/", "curl/8", False),
                                     (f"/%{ord(code[0]):x}{code[1:]}", "curl/8", False), (f"/{code}", "powershell", False)]:
            status, headers, body = self.service.get(path, agent)
            self.assertEqual(status, 200, path)
            name = "rport-installer.ps1" if windows else "rport-installer.sh"
            self.assertEqual(headers["Content-Disposition"], f'attachment; filename="{name}"', (path, agent))
            self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
            self.assertEqual(headers["Cache-Control"], "no-store")
            self.assertEqual(int(headers["Content-Length"]), len(body))
            self.assertIsNone(headers["Transfer-Encoding"])
            self.assertTrue(body.startswith(b"#!/bin/sh") is not windows)
        for _ in range(50):
            self.assertEqual(self.service.get("/" + code)[0], 200, "any number of times")

    def test_a_code_is_case_sensitive(self):
        code = self.service.deposit(**GOOD)["pairing_code"]
        self.assertEqual(self.service.get("/" + code.swapcase())[0], 404)

    def test_bad_os_and_escapes_are_400(self):
        for path in ("/0000000?os=macos", "/0000000?os=", "/0000000.sh?os=windows", "/update?os=Linux"):
            self.assert_refused(self.service.get(path), 400, "os must be linux or windows", cors=None)
        for path in ("/%", "/%4", "/%zz", "/a/b%"):
            self.assert_refused(self.service.get(path), 400, "malformed % escape", cors=None)

    def test_a_dead_code_gives_a_script_that_fails(self):
        for path in ("/1234567", "/1234567.sh", "/x.ico", "/x"):
            status, headers, body = self.service.get(path)
            self.assertEqual(status, 404)
            shown = path[1:].removesuffix(".sh")
            self.assertEqual(body.split(b"\n")[0], f"#No pairing found by pairing code {shown}".encode())
            self.assertEqual(headers["Cache-Control"], "no-store")
            for shell in filter(shutil.which, ("dash", "bash", "mksh", "yash")):
                result = subprocess.run([shell], input=body, capture_output=True, timeout=20)
                self.assertEqual(result.returncode, 1, shell)
                self.assertIn(b"expired", result.stderr)
                self.assertEqual(result.stdout, b"")
        status, _, body = self.service.get("/1234567", POWERSHELL)
        self.assertEqual((status, body.split(b"\n")[0]), (404, b"#No pairing found by pairing code 1234567"))

    def test_what_is_shown_of_a_code_is_harmless(self):
        for path in ("/%0atouch%20canary%0a", "/$(touch%20canary)", "/`touch%20canary`", "/;touch%20canary", "/%00", "/%ff%fe", "/'"):
            status, _, body = self.service.get(path)
            self.assertEqual(status, 404)
            first = body.split(b"\n")[0].decode()
            self.assertRegex(first, r"^#No pairing found by pairing code [A-Za-z0-9._~?-]+$")
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(["sh"], input=body, capture_output=True, cwd=folder, timeout=20)
                self.assertEqual(list(pathlib.Path(folder).iterdir()), [])

    def test_anything_else_is_404(self):
        for path in ("/a/b", "/0000000/x", "/update/x", "/" + "a" * 300):
            status, headers, body = self.service.get(path)
            self.assertEqual((status, body), (404, b"404 page not found\n"))
            self.assertIsNone(headers["Access-Control-Allow-Origin"])

    def test_paths_of_monitoring_and_browsers_are_no_guesses(self):
        with Pairport("[limits]\n  misses_per_second = 0.01\n  miss_burst = 1\n") as service:
            for _ in range(3):
                for method in ("GET", "HEAD"):
                    status, headers, body = service.request(method, "/healthz")
                    self.assertEqual((status, body), (200, b"ok\n" if method == "GET" else b""))
                    self.assertEqual(headers["Content-Type"], "text/plain; charset=utf-8")
                for path in ("/readyz", "/metrics", "/status", "/ping", "/health", "/favicon.ico", "/robots.txt", "/v1", "/openapi.json"):
                    status, _, body = service.get(path)
                    self.assertEqual((status, body), (404, b"404 page not found\n"), path)
            self.assertEqual(service.get("/ABCDEFGHIJ")[0], 404)
            self.assertEqual(service.get("/ABCDEFGHIJ")[0], 429, "a guess is counted")
            self.assertEqual(service.get("/healthz")[0], 200)

    def test_the_root_says_what_this_is(self):
        for accept in ("*/*", "text/plain", "text/html,application/xhtml+xml,*/*;q=0.8"):
            for method in ("GET", "HEAD"):
                status, headers, body = self.service.request(method, "/", {"Accept": accept})
                self.assertEqual((status, headers["Content-Type"]), (200, "text/plain; charset=utf-8"))
                self.assertEqual(body.count(b"\n"), 1 if method == "GET" else 0)
                self.assertIn(b"POST" if method == "GET" else b"", body)

    def test_no_page_of_another_origin_reads_an_installer(self):
        code = self.service.deposit(**GOOD)["pairing_code"]
        for path in (f"/{code}", "/1234567890", "/update", "/", "/healthz", "/%", "/a/b"):
            for method in ("GET", "HEAD"):
                _, headers, _ = self.service.request(method, path, {"Origin": "https://evil.example.com"})
                for name, _ in headers.items():
                    self.assertFalse(name.lower().startswith("access-control-"), (method, path, name))

    # --- update, uninstall ------------------------------------------------------------------------------------------

    def test_update_and_uninstall_are_cacheable_and_need_no_code(self):
        for what in ("update", "uninstall"):
            for path, agent, extension in [(f"/{what}", "curl/8", "sh"), (f"/{what}", POWERSHELL, "ps1"), (f"/{what}.ps1", "curl/8", "ps1"),
                                           (f"/{what}/?os=windows", "curl/8", "ps1"), (f"/{what}.sh", POWERSHELL, "sh")]:
                status, headers, body = self.service.get(path, agent)
                self.assertEqual(status, 200)
                self.assertEqual(headers["Content-Disposition"], f'attachment; filename="rport-{what}.{extension}"')
                self.assertRegex(headers["ETag"], r'^"[0-9a-f]+"$')
                self.assertEqual(headers["Vary"], "User-Agent, Accept-Encoding")
                self.assertNotIn("no-store", headers["Cache-Control"])
                self.assertNotIn(b"foobaz", body)
                etag = headers["ETag"]
                for condition in (etag, "W/" + etag, f'"x", {etag}', "*"):
                    status, again, body = self.service.get(path, agent, {"If-None-Match": condition})
                    self.assertEqual((status, body), (304, b""), condition)
                    self.assertEqual(again["ETag"], etag)
                self.assertEqual(self.service.get(path, agent, {"If-None-Match": '"x"'})[0], 200)

    # --- methods, headers, formats ----------------------------------------------------------------------------------

    def test_every_header_of_the_table_is_read(self):
        """Each changes an answer, in any case of letters. Of a repeated header the first value that is not empty counts."""
        header = (ROOT / "render" / "include" / "pairport" / "pairport.h").read_text(encoding="utf-8")
        table = re.search(r"#define PAIRPORT_REQUEST_HEADERS\(X\)(.*?\\\n)+.*", header)[0]
        names = set(re.findall(r'"([a-z-]+)"', table))
        unlike = {"user-agent": ("GET /update", POWERSHELL, "curl/8"), "accept": ("GET /a/b", "application/json", "text/plain"),
                  "accept-encoding": ("GET /update", "gzip", "identity"), "content-type": ("POST /", "application/json", "text/xml"),
                  "if-none-match": ("GET /update", "*", '"x"')}
        self.assertEqual(names - {"range", "if-range"}, set(unlike), "those of files are tested in test_packages.py")
        body = json.dumps(GOOD).encode()

        def ask(line, *lines):
            answer = self.raw(f"{line} HTTP/1.1\r\nHost: x\r\n".encode() + "".join(f"{one}\r\n" for one in lines).encode()
                              + (b"Content-Length: %d\r\n\r\n" % len(body) + body if line.startswith("POST") else b"\r\n"))
            head, content = answer.split(b"\r\n\r\n", 1)
            return head.split(b"\r\n")[0], re.search(rb"\r\nContent-Type: (.*)", head), content if not line.startswith("POST") else b""

        for name, (line, value, other) in unlike.items():
            first, second = ask(line, f"{name}: {value}"), ask(line, f"{name}: {other}")
            self.assertNotEqual(first[0::2], second[0::2], name)
            self.assertEqual(ask(line, f"{name.upper()}:  {value} ")[0::2], first[0::2], name)
            for lines in ([f"{name}:", f"{name}: {value}"], [f"{name.title()}: {value}", f"{name}: {other}"]):
                got = ask(line, *lines)
                # nginx takes that one only once.
                if name != "if-none-match" or os.environ.get("PAIRPORT_SERVER") != "nginx":
                    self.assertEqual(got[0::2], first[0::2], lines)

    def test_gzip_for_who_asks_for_it(self):
        answer = self.service.deposit(**{**GOOD, "password": "it's `$(x)` \u00e9\u20ac"})
        for target in (f"/{answer['pairing_code']}", f"/{answer['pairing_code']}.ps1", "/update", "/uninstall.ps1"):
            url = self.service.url + target
            code, plain, _ = curl(url)
            self.assertEqual(code, 0)
            code, unpacked, _ = curl("--compressed", url)
            self.assertEqual((code, unpacked), (0, plain), target)
            with tempfile.NamedTemporaryFile() as headers:
                code, packed, _ = curl("-H", "Accept-Encoding: gzip", "-D", headers.name, url)
                head = headers.read().decode()
            self.assertEqual(code, 0)
            self.assertIn("\r\nContent-Encoding: gzip\r\n", head)
            self.assertIn("Accept-Encoding", re.search(r"\r\nVary: (.*)\r\n", head)[1])
            self.assertEqual(int(re.search(r"\r\nContent-Length: (\d+)", head)[1]), len(packed))
            self.assertLess(len(packed) * 2, len(plain))
            self.assertEqual(gzip.decompress(packed), plain)
            tool = subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, timeout=30)
            self.assertEqual((tool.returncode, tool.stdout, tool.stderr), (0, plain, b""))
            for refused in ("gzip;q=0", "identity", "br", "*"):
                self.assertEqual(curl("-H", f"Accept-Encoding: {refused}", url)[1], plain)

    def test_the_commands_do_not_ask_for_gzip(self):
        # A curl that was built without zlib refuses --compressed, for instance that of OpenWrt.
        for command in self.service.deposit(**GOOD)["installers"].values():
            self.assertNotIn("--compressed", command)

    def test_head_is_get_without_the_body(self):
        for path in ("/0000000", "/1234567", "/update", "/uninstall.ps1", "/a/b"):
            status, headers, body = self.service.get(path)
            head_status, head_headers, head_body = self.service.request("HEAD", path, {"User-Agent": "curl/7.88.1"})
            self.assertEqual((head_status, head_body), (status, b""))
            self.assertEqual([h for h in head_headers.items() if h[0] != "Date"], [h for h in headers.items() if h[0] != "Date"])
            self.assertEqual(int(head_headers["Content-Length"]), len(body))

    def test_other_methods_are_405_with_allow(self):
        for method, path, allow in [("PUT", "/", "POST, GET, OPTIONS, HEAD"),
                                    ("DELETE", "/0000000", "GET, OPTIONS, HEAD"), ("PATCH", "/update", "GET, OPTIONS, HEAD"),
                                    ("BREW", "/uninstall", "GET, OPTIONS, HEAD")]:
            status, headers, _ = self.service.request(method, path)
            self.assertEqual((status, headers["Allow"]), (405, allow), (method, path))
        status, headers, _ = self.service.request("POST", "/0000000", body=b"x")
        self.assertEqual((status, headers["Allow"]), (405, "GET, OPTIONS, HEAD"))

    def test_every_answer_carries_the_common_headers(self):
        answers = [self.service.get(path) for path in ("/0000000", "/1234567", "/update", "/a/b", "/%", "/", "/update?os=x")]
        answers += [self.post("{"), self.post(json.dumps(GOOD)), self.post("x" * 17000), self.service.request("OPTIONS", "/")]
        for status, headers, _ in answers:
            self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(headers["Referrer-Policy"], "no-referrer")
            age = datetime.datetime.now(datetime.timezone.utc) - email.utils.parsedate_to_datetime(headers["Date"])
            self.assertLess(abs(age.total_seconds()), 5)
            self.assertIn("Cache-Control", headers)

    def test_problem_documents_when_json_is_preferred(self):
        for accept in ("application/json", "application/problem+json", "text/plain;q=0.5, application/json", "application/json, */*;q=0.1"):
            for status, headers, body in (self.service.get("/1234567", headers={"Accept": accept}),
                                          self.service.get("/a/b", headers={"Accept": accept}), self.post("{", Accept=accept),
                                          self.service.request("PUT", "/", {"Accept": accept})):
                if status == 405:
                    continue  # another method is refused before its headers are read
                self.assertEqual(headers["Content-Type"], "application/problem+json", accept)
                problem = json.loads(body)
                self.assertEqual(problem["status"], status)
                self.assertTrue(problem["title"] and problem["detail"])
        for accept in ("*/*", "text/html", "application/json, text/plain, */*", "application/json;q=0.1, text/plain", ""):
            self.assertEqual(self.post("{", Accept=accept)[1]["Content-Type"], "text/plain; charset=utf-8", accept)

    def test_keep_alive_and_pipelining_in_order(self):
        answer = self.raw(b"GET /update HTTP/1.1\r\nHost: x\r\n\r\nGET /1234567 HTTP/1.1\r\nHost: x\r\n\r\nGET /0000000 HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+)", answer), [b"200", b"404", b"200"])
        self.assertNotIn(b"Connection: close", answer)
        old = self.raw(b"GET /update HTTP/1.0\r\n\r\nGET /update HTTP/1.0\r\n\r\n")
        self.assertEqual(old.count(b"HTTP/1.1 200"), 1)
        old = self.raw(b"GET /update HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
        self.assertEqual(old.count(b"Connection: keep-alive"), 2)

    def test_byte_by_byte_over_a_real_socket(self):
        body = json.dumps(GOOD).encode()
        request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        with socket.create_connection(("127.0.0.1", self.service.port), timeout=20) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(request)):
                client.sendall(request[i:i + 1])
            self.assertTrue(client.recv(65536).startswith(b"HTTP/1.1 200 OK"))


class Expiry(unittest.TestCase):
    def test_a_code_is_dead_after_its_ttl_and_its_script_says_so(self):
        with Pairport('[pairing]\n  ttl = "2s"\n' + NO_LIMITS) as service:
            answer = service.deposit(**GOOD)
            start = time.monotonic()
            path = "/" + answer["pairing_code"]
            self.assertEqual(service.get(path)[0], 200)
            while time.monotonic() - start < 1.5:
                self.assertEqual(service.get(path)[0], 200)
                time.sleep(0.1)
            time.sleep(max(0, start + 2.05 - time.monotonic()))
            status, _, body = service.get(path)
            self.assertEqual(status, 404)
            result = subprocess.run(["sh"], input=body, capture_output=True, timeout=20)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"unknown or has expired", result.stderr)

    def test_code_length(self):
        with Pairport("[pairing]\n  code_length = 12\n") as service:
            self.assertRegex(service.deposit(**GOOD)["pairing_code"], f"^[{ALPHABET}]{{12}}$")


class Limits(unittest.TestCase):
    def test_a_full_service_refuses_and_evicts_nothing(self):
        with Pairport("[pairing]\n  max_deposits = 3\n") as service:
            codes = [service.deposit(**GOOD)["pairing_code"] for _ in range(3)]
            status, headers, body = service.request("POST", "/", {"Content-Type": "application/json"}, json.dumps(GOOD).encode())
            self.assertEqual(status, 503)
            self.assertGreater(int(headers["Retry-After"]), 0)
            self.assertIn(b"try again later", body)
            for code in codes:
                self.assertEqual(service.get("/" + code)[0], 200)

    def test_deposits_are_limited_per_address(self):
        with Pairport("[limits]\n  deposits_per_second = 0.1\n  deposit_burst = 5\n") as service:
            for _ in range(5):
                service.deposit(**GOOD)
            status, headers, body = service.request("POST", "/", {"Content-Type": "application/json"}, json.dumps(GOOD).encode())
            self.assertEqual(status, 429)
            self.assertTrue(1 <= int(headers["Retry-After"]) <= 10)
            self.assertIn(b"too many deposits", body)

    def test_an_address_without_tokens_learns_nothing(self):
        with Pairport("[limits]\n  misses_per_second = 0.1\n  miss_burst = 5\n" + STATIC) as service:
            for _ in range(200):
                self.assertEqual(service.get("/0000000")[0], 200, "a successful look-up costs nothing")
            for i in range(5):
                self.assertEqual(service.get(f"/111111{i}")[0], 404)
            live, dead = service.get("/0000000"), service.get("/2222222")
            self.assertEqual((live[0], live[2]), (429, dead[2]))
            self.assertTrue(1 <= int(live[1]["Retry-After"]) <= 10)
            result = subprocess.run(["sh"], input=live[2], capture_output=True, timeout=20)
            self.assertEqual(result.returncode, 1, "piped to a shell it fails, too")
            self.assertIn(b"try again", result.stderr)
            self.assertEqual(service.get("/update")[0], 200, "what needs no code is not limited")


class GoServiceConfiguration(unittest.TestCase):
    def test_its_file_works_unchanged(self):
        config = f"""
[server]
  ## Define the address and port the service is listening on
  address = "127.0.0.1:0"
  url = "https://pairing.example.com"
{STATIC}"""
        with Pairport(config) as service:
            status, _, body = service.get("/0000000")
            self.assertEqual(status, 200)
            self.assertIn(b"CONNECT_URL='http://rport.example.com:8080'", body)
            self.assertIn("https://pairing.example.com/", service.deposit(**GOOD)["installers"]["linux"])


if __name__ == "__main__":
    runner.run()
