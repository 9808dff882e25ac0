# SPDX-License-Identifier: MIT
"""HTTPS to clients that people use: what they get, how connections begin, are resumed and end."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import unittest

import runner
from certificates import make_authority, make_chain
from https_service import HttpsService, client_hello, exchange, read_answer, receive_all, request, thread_policies, trusting_all

GOOD = {"connect_url": "http://h:1", "fingerprint": ":".join(["2a"] * 16), "client_id": "client1", "password": "it's a secret"}
SANITIZED = bool(os.environ.get("PAIRPORT_SANITIZE"))
POWERSHELL = "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682"
# What Windows PowerShell 5.1 offers that is of use here: Schannel of Windows 10 and Server 2016, TLS 1.2.
SCHANNEL_SUITES = ("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:"
                   "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-SHA384:AES256-SHA")
# A connection that waits for a request: 40 KiB of mbedTLS's and what the kernel does not count. doc/operating.md says 48 KiB.
IDLE_BYTES = 48 * 1024
IDLE_CONNECTIONS = 1000


def run(*command, stdin=b"", seconds=60):
    return subprocess.run(command, input=stdin, capture_output=True, timeout=seconds, check=False)


def s_client(port, *options, stdin=b"", host="localhost"):
    """Its output and messages. -ign_eof: the end of its input does not end the connection."""
    result = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", *(["-servername", host] if host else ["-noservername"]),
                 "-ign_eof", *options, stdin=stdin)
    return result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace")


class WithCertificates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.root = make_authority(cls.folder)
        cls.ec = make_chain(cls.folder, "ec")
        cls.rsa = make_chain(cls.folder, "rsa", rsa=True)

    def verifying(self, **options):
        context = ssl.create_default_context(cafile=self.root)
        for name, value in options.items():
            setattr(context, name, value)
        return context


class Clients(WithCertificates):
    """Each one trusts the root alone, so that a chain without the intermediate certificate would not do."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = cls.enterClassContext(HttpsService([cls.ec, cls.rsa]))
        cls.secure_url = f"https://localhost:{cls.service.tls_port}"
        cls.code = cls.service.deposit(**GOOD)["pairing_code"]
        cls.targets = [f"/{cls.code}", f"/{cls.code}.ps1", "/update.sh", "/update.ps1", "/uninstall", "/notacod"]

    def assert_same(self, fetch, agent="curl/7.88.1"):
        for target in self.targets:
            status, _, plain = self.service.get(target, user_agent=agent)
            self.assertGreater(len(plain), 100)
            self.assertEqual(fetch(target, status), plain, target)

    def test_curl(self):
        for version in ("1.2", "1.3" if self.has_tls13() else "1.2"):
            self.assert_same(lambda target, _, version=version: self.succeed(
                "curl", "-sS", "--http1.1", "--tlsv1.2", "--tls-max", version, "--cacert", self.root,
                "--connect-to", f"localhost:{self.service.tls_port}:127.0.0.1:", self.secure_url + target))

    def test_curl_with_http2_offered(self):
        self.assert_same(lambda target, _: self.succeed("curl", "-sS", "--http2", "--cacert", self.root, self.secure_url + target))

    def test_wget(self):
        self.assert_same(lambda target, _: self.succeed(
            "wget", "-q", "-O", "-", "--content-on-error", "-U", "Wget/1.21.3", "--ca-certificate", self.root,
            self.secure_url + target, codes=(0, 8)), agent="Wget/1.21.3")

    def test_s_client(self):
        def fetch(target, _):
            result = run("openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", self.root, "-verify_hostname", "localhost",
                         "-connect", f"127.0.0.1:{self.service.tls_port}", stdin=request(target, close=True))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotIn(b"error", result.stderr)
            return result.stdout.partition(b"\r\n\r\n")[2]

        self.assert_same(fetch)

    def test_tls_1_2_with_the_suites_of_windows_powershell(self):
        for suites in (SCHANNEL_SUITES, SCHANNEL_SUITES.replace("ECDSA", "RSA")):
            self.assert_same(lambda target, _, suites=suites: self.succeed(
                "curl", "-sS", "--tlsv1.2", "--tls-max", "1.2", "--ciphers", suites, "--curves", "P-256:P-384", "--no-alpn",
                "-A", POWERSHELL, "--cacert", self.root, self.secure_url + target), agent=POWERSHELL)
            output = s_client(self.service.tls_port, "-tls1_2", "-cipher", suites, "-groups", "P-384:P-256", "-brief",
                              stdin=request("/update", close=True))
            self.assertRegex(output, r"Protocol version: TLSv1\.2\n")
            self.assertRegex(output, r"Ciphersuite: ECDHE-(ECDSA|RSA)-AES(128|256)-GCM-SHA(256|384)\n")

    def test_the_curve_is_the_one_that_costs_the_server_less(self):
        """In TLS 1.2 the server chooses; in TLS 1.3 another one than the client has begun with would cost a round trip."""
        def curve(version, groups):
            output = s_client(self.service.tls_port, version, "-groups", groups, stdin=request("/update", close=True))
            return re.search(r"(?:Server|Peer) Temp Key: (?:ECDH, )?([\w-]+), ", output)[1].replace("prime256v1", "P-256")

        for groups, expected in (("X25519:P-256", "P-256"), ("P-384:X25519:P-256", "P-256"), ("P-384:X25519", "X25519"),
                                 ("X25519", "X25519"), ("P-384", "secp384r1")):
            self.assertEqual(curve("-tls1_2", groups), expected, groups)
        if self.has_tls13():
            self.assertEqual(curve("-tls1_3", "X25519:P-256"), "X25519")

    def test_chromium(self):
        chromium = shutil.which("chromium")
        if chromium is None:
            self.skipTest("chromium is not installed")
        # As a UI does it: a page of another origin deposits, with a preflight, and reads what it gets.
        page = os.path.join(self.folder, "page.html")
        with open(page, "w", encoding="utf-8") as file:
            file.write("""<!DOCTYPE html><pre id="result"></pre><script>
const hex = async path => [...new Uint8Array(await (await fetch(url + path)).arrayBuffer())]
    .map(byte => byte.toString(16).padStart(2, "0")).join("");
const url = "%s";
(async () => {
  const result = {};
  try {
    const answer = await fetch(url + "/", {method: "POST", headers: {"Content-Type": "application/json"}, body: '%s'});
    result.code = (await answer.json()).pairing_code;
    for (const target of ["/" + result.code, ...%s]) {
      try { result[target] = await hex(target); } catch (error) { result[target] = "refused"; }
    }
  } catch (error) { result.error = String(error); }
  document.getElementById("result").textContent = JSON.stringify(result);
})();
</script>""" % (self.secure_url, json.dumps(GOOD).replace("'", "\\'"), json.dumps(self.targets)))
        spki = subprocess.run(f"openssl x509 -in {self.ec[0]} -noout -pubkey | openssl pkey -pubin -outform der | "
                              "openssl dgst -sha256 -binary | base64", shell=True, check=True, capture_output=True, text=True).stdout.strip()
        def open_page(*flags):
            with tempfile.TemporaryDirectory() as profile:
                result = run(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                             "--disable-background-networking", f"--user-data-dir={profile}",
                             f"--ignore-certificate-errors-spki-list={spki}", "--virtual-time-budget=60000", "--dump-dom", *flags,
                             "file://" + page, seconds=120)
            found = re.search(rb'<pre id="result">(\{.*\})</pre>', result.stdout, re.S)
            self.assertTrue(found, result.stdout[-2000:] + result.stderr[-2000:])
            fetched = json.loads(found[1])
            self.assertNotIn("error", fetched)
            self.service.secrets.add(fetched["code"])
            return fetched

        fetched = open_page()
        for target in [*self.targets, "/" + fetched["code"]]:
            self.assertEqual(fetched[target], "refused", f"{target}: a page could make its visitors guess, and read the hit")
        fetched = open_page("--disable-web-security")
        agent = "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0"
        for target in self.targets:
            self.assertEqual(bytes.fromhex(fetched[target]), self.service.get(target, user_agent=agent)[2], target)
        self.assertEqual(bytes.fromhex(fetched["/" + fetched["code"]]), self.service.get("/" + fetched["code"], user_agent=agent)[2])
        self.assertIn(b"it'\\''s a secret", bytes.fromhex(fetched["/" + fetched["code"]]))

    def test_a_deposit(self):
        context = self.verifying()
        body = json.dumps({**GOOD, "password": "another secret"})
        with self.service.tls(context) as client, client.makefile("rb") as reader:
            client.sendall(request("/", "POST", headers=f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n") + body.encode())
            head, answer = read_answer(reader)
            self.assertEqual(head[:13], b"HTTP/1.1 200 ")
            answer = json.loads(answer)
            self.service.secrets |= {"another secret", answer["pairing_code"]}
            self.assertIn(self.secure_url.replace("localhost", "127.0.0.1") + "/" + answer["pairing_code"], answer["installers"]["linux"])
            client.sendall(request("/" + answer["pairing_code"]))
            self.assertIn(b"another secret", read_answer(reader)[1])

    def test_old_versions_are_refused_with_an_alert(self):
        for option in ("-tls1", "-tls1_1"):
            output = s_client(self.service.tls_port, option, "-cipher", "ALL:@SECLEVEL=0")
            self.assertRegex(output, r"alert protocol version")

    def test_old_suites_are_refused_with_an_alert(self):
        for suites in ("AES128-GCM-SHA256:AES256-SHA", "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"):
            output = s_client(self.service.tls_port, "-tls1_2", "-cipher", suites + ":@SECLEVEL=0")
            self.assertRegex(output, r"alert handshake failure", suites)

    def succeed(self, *command, codes=(0,)):
        result = run(*command)
        self.assertIn(result.returncode, codes, result.stderr)
        return result.stdout

    def has_tls13(self):
        with self.service.tls() as client:
            return client.version() == "TLSv1.3"


class Choice(WithCertificates):
    """Of a certificate, by the name and by the kind of key; of a protocol."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.hosts = {"a": ("a.example",), "b": ("b.example", "www.b.example"), "c": ("*.c.example",)}
        pairs = [make_chain(cls.folder, name, hosts=hosts) for name, hosts in cls.hosts.items()]
        pairs.append(make_chain(cls.folder, "b-rsa", hosts=cls.hosts["b"], rsa=True))
        cls.service = cls.enterClassContext(HttpsService(pairs, server='  hsts = "180d"'))

    def test_the_name_chooses(self):
        for asked in ("a.example", "b.example", "www.b.example", "x.c.example", "A.Example"):
            with self.service.tls(self.verifying(), host=asked) as client:
                self.assertEqual(exchange(client, "/update")[0][:13], b"HTTP/1.1 200 ")
        for asked in ("c.example", "x.y.c.example"):
            with self.assertRaises(ssl.SSLCertVerificationError):
                self.service.tls(self.verifying(), host=asked)

    def test_whoever_names_none_or_another_gets_the_first(self):
        for asked in ("unknown.example", None):
            with self.service.tls(self.verifying(check_hostname=False), host=asked) as client:
                self.assertEqual(client.getpeercert()["subjectAltName"][0], ("DNS", "a.example"))

    def test_the_suites_choose_the_kind_of_key(self):
        for kind, pattern in (("ECDSA", r"Server public key is 256 bit"), ("RSA", r"Server public key is 2048 bit")):
            output = s_client(self.service.tls_port, "-tls1_2", "-cipher", f"ECDHE-{kind}-AES128-GCM-SHA256", "-CAfile", self.root,
                              host="b.example", stdin=request("/update", close=True))
            self.assertRegex(output, pattern)
            self.assertRegex(output, r"Verify return code: 0 \(ok\)")

    def test_the_signatures_choose_the_kind_of_key(self):
        for algorithms, pattern in (("ecdsa_secp256r1_sha256", r"Server public key is 256 bit"),
                                    ("rsa_pss_rsae_sha256:RSA+SHA256", r"Server public key is 2048 bit")):
            output = s_client(self.service.tls_port, "-sigalgs", algorithms, host="b.example", stdin=request("/update", close=True))
            self.assertRegex(output, pattern)

    def test_chains_are_sent(self):
        output = s_client(self.service.tls_port, "-showcerts", host="b.example", stdin=request("/update", close=True))
        self.assertEqual(output.count("-----BEGIN CERTIFICATE-----"), 2)
        self.assertRegex(output, "CN ?= ?middle of a test")

    def test_alpn(self):
        for offered, chosen in ((["http/1.1"], "http/1.1"), (["h2", "http/1.1"], "http/1.1"), ([], None)):
            context = trusting_all()
            if offered:
                context.set_alpn_protocols(offered)
            with self.service.tls(context) as client:
                self.assertEqual(client.selected_alpn_protocol(), chosen)
                self.assertEqual(exchange(client, "/update")[0][:13], b"HTTP/1.1 200 ")
        # RFC 7301 section 3.2: no_application_protocol.
        self.assertRegex(s_client(self.service.tls_port, "-alpn", "h2"), r"alert no application protocol|SSL alert number 120")

    def test_hsts_is_sent_over_https_alone(self):
        with self.service.tls() as client:
            self.assertIn(b"\r\nStrict-Transport-Security: max-age=15552000\r\n", exchange(client, "/update")[0])
        self.assertNotIn("Strict-Transport-Security", self.service.get("/update")[1])


class Resumption(WithCertificates):
    def setUp(self):
        self.service = self.enterContext(HttpsService([self.ec]))

    def connect(self, *options):
        """s_client's word for it: whether New or Reused."""
        output = s_client(self.service.tls_port, *options, stdin=request("/update", close=True))
        self.assertIn("HTTP/1.1 200 ", output)
        return re.search(r"^(New|Reused), (TLSv1\.\d), Cipher is ", output, re.M).groups()

    def versions(self):
        with self.service.tls() as client:
            return [("-tls1_2", "TLSv1.2")] + ([("-tls1_3", "TLSv1.3")] if client.version() == "TLSv1.3" else [])

    def test_sessions_are_resumed(self):
        for option, version in self.versions():
            ticket = os.path.join(self.folder, "ticket")
            self.assertEqual(self.connect(option, "-sess_out", ticket), ("New", version))
            for _ in range(3):
                self.assertEqual(self.connect(option, "-sess_in", ticket), ("Reused", version))
            self.assertEqual(self.connect(option), ("New", version))

    def test_tickets_survive_a_reload_of_the_certificates(self):
        for option, version in self.versions():
            ticket = os.path.join(self.folder, "ticket")
            self.assertEqual(self.connect(option, "-sess_out", ticket), ("New", version))
            self.service.log = b""
            self.service.process.send_signal(signal.SIGHUP)
            self.service.await_log(r"certificates: read again, for new connections\n")
            self.assertEqual(self.connect(option, "-sess_in", ticket), ("Reused", version))

    def test_a_ticket_of_another_process_does_not_resume(self):
        for option, version in self.versions():
            ticket = os.path.join(self.folder, "ticket")
            self.assertEqual(self.connect(option, "-sess_out", ticket), ("New", version))
            with HttpsService([self.ec]) as other:
                output = s_client(other.tls_port, option, "-sess_in", ticket, stdin=request("/update", close=True))
                self.assertRegex(output, rf"(?m)^New, {re.escape(version)}, Cipher is ")
                self.assertIn("HTTP/1.1 200 ", output)

    def test_python_resumes(self):
        context = trusting_all(maximum_version=ssl.TLSVersion.TLSv1_2)
        with self.service.tls(context) as client:
            exchange(client, "/update")
            session = client.session
        with self.service.tls(context, session=session) as client:
            self.assertTrue(client.session_reused)
            self.assertEqual(exchange(client, "/update")[0][:13], b"HTTP/1.1 200 ")


class Http(WithCertificates):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.service = cls.enterClassContext(HttpsService([cls.ec]))

    def test_keep_alive_head_and_pipelining(self):
        expected = self.service.get("/update")[2]
        with self.service.tls() as client, client.makefile("rb") as reader:
            for _ in range(20):
                client.sendall(request("/update"))
                self.assertEqual(read_answer(reader)[1], expected)
            client.sendall(request("/update", "HEAD"))
            self.assertIn(f"\r\nContent-Length: {len(expected)}\r\n".encode(), read_answer(reader, "HEAD")[0])
            client.sendall(b"".join(request(target) for target in ("/update", "/uninstall") * 20))
            for target in ("/update", "/uninstall") * 20:
                self.assertEqual(read_answer(reader)[1], expected if target == "/update" else self.service.get("/uninstall")[2])

    def test_requests_in_pieces(self):
        """One byte in each record, and in each write."""
        with self.service.tls() as client, client.makefile("rb") as reader:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request("/update"):
                client.sendall(bytes([byte]))
            self.assertEqual(read_answer(reader)[1], self.service.get("/update")[2])

    def test_expect_100_continue(self):
        body = json.dumps(GOOD).encode()
        with self.service.tls() as client, client.makefile("rb") as reader:
            client.sendall(request("/", "POST", headers=f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n"))
            self.assertEqual(reader.readline(), b"HTTP/1.1 100 Continue\r\n")
            self.assertEqual(reader.readline(), b"\r\n")
            client.sendall(body)
            head, answer = read_answer(reader)
            self.assertEqual(head[:13], b"HTTP/1.1 200 ")
            self.service.secrets.add(json.loads(answer)["pairing_code"])

    def test_plain_http_on_the_port_of_https(self):
        for text in (request("/update"), b"GET / HTTP/1.0\r\n\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"):
            with self.service.raw() as client:
                client.sendall(text)
                answer = receive_all(client)
            self.assertEqual(answer[:13], b"HTTP/1.1 400 ")
            self.assertIn(b"https", answer.partition(b"\r\n\r\n")[2])


def reset_on_close(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Ends(WithCertificates):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.packages = os.path.join(cls.folder, "packages")
        os.mkdir(cls.packages)
        with open(os.path.join(cls.packages, "large"), "wb") as file:
            file.truncate(64 << 20)
        cls.with_large = f'[installer]\n  package_dir = "{cls.packages}"\n'

    def large(self, service, **options):
        client = service.tls(receive_buffer=16384, **options)
        client.sendall(request("/packages/large", close=True))
        self.assertTrue(client.recv(1))
        return client

    def test_the_end_is_told(self):
        with HttpsService([self.ec]) as service:
            for target in ("/update", "/notthere", "//%"):
                with service.tls() as client:
                    client.sendall(request(target, close=True))
                    while client.recv(65536):  # raises SSLEOFError where close_notify is missing
                        pass
            # In answer to the peer's, too.
            with service.tls() as client:
                client.sendall(request("/update"))
                with client.makefile("rb") as reader:
                    read_answer(reader)
                raw = client.unwrap()
                self.assertEqual(raw.recv(1), b"")

    def test_an_idle_connection_is_closed_with_close_notify(self):
        with HttpsService([self.ec], rest='[limits]\n  idle_timeout = "1s"\n') as service, service.tls() as client:
            client.sendall(request("/update"))
            with client.makefile("rb") as reader:
                read_answer(reader)
                start = time.monotonic()
                self.assertEqual(reader.read(1), b"")
                self.assertGreater(time.monotonic() - start, 0.8)

    def test_a_truncation_is_seen(self):
        with HttpsService([self.ec], rest=self.with_large) as service:
            with self.large(service) as client:
                service.process.kill()
                service.process.wait()
                with self.assertRaises((ssl.SSLEOFError, ConnectionResetError)):
                    while client.recv(65536):
                        pass

    def test_a_file_that_becomes_shorter_is_seen(self):
        path = os.path.join(self.packages, "shrinks")
        with open(path, "wb") as file:
            file.truncate(64 << 20)
        with HttpsService([self.ec], rest=self.with_large) as service, service.tls(receive_buffer=16384) as client:
            client.sendall(request("/packages/shrinks"))
            self.assertTrue(client.recv(1))
            os.truncate(path, 1000)
            with self.assertRaises((ssl.SSLEOFError, ConnectionResetError)):
                while client.recv(65536):
                    pass

    def test_a_reader_that_has_stopped_is_cut_off_without_close_notify(self):
        limits = '[limits]\n  answer_timeout = "1s"\n  min_bytes_per_second = 1000000000\n'
        with HttpsService([self.ec], rest=self.with_large + limits) as service, self.large(service) as client:
            deadline = time.monotonic() + 20
            while self.is_connected(client):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
            with self.assertRaises((ssl.SSLEOFError, ConnectionResetError)):
                while client.recv(65536):
                    pass

    def is_connected(self, client):
        """Whether the server's end of a connection is still established."""
        server, own = (f"{socket.htonl(0x7f000001):08X}:{port:04X}" for port in (client.getpeername()[1], client.getsockname()[1]))
        with open("/proc/net/tcp", encoding="ascii") as table:
            return any(fields[1:4] == [server, own, "01"] for fields in map(str.split, table))

    def test_a_stop_lets_an_answer_finish(self):
        with HttpsService([self.ec], rest=self.with_large) as service:
            with self.large(service) as client, service.tls() as idle, service.raw() as silent:
                silent.sendall(b"\x16")  # before that, the kernel keeps it to itself
                idle.sendall(request("/update"))
                with idle.makefile("rb") as reader:
                    read_answer(reader)
                    service.process.send_signal(signal.SIGTERM)
                    self.assertEqual(reader.read(1), b"", "an idle one is told")
                self.assertEqual(receive_all(silent), b"")
                service.await_log("stopping on signal")
                received = b"x" + b"".join(iter(lambda: client.recv(1 << 20), b""))
            self.assertEqual(len(received.partition(b"\r\n\r\n")[2]), 64 << 20)
            self.assertEqual(service.stop(), 0)

    def test_signals_that_come_at_the_very_end_do_not_kill(self):
        """When the loop has let go of them, no thread of the pool may take them either."""
        with HttpsService([self.ec]) as service:
            with service.tls() as client:
                exchange(client, "/update")
            pid = service.process.pid
            for thread in set(os.listdir(f"/proc/{pid}/task")) - {str(pid)}:
                status = pathlib.Path(f"/proc/{pid}/task/{thread}/status").read_text(encoding="utf-8", errors="replace")
                blocked = int(re.search(r"^SigBlk:\s*(\w+)$", status, re.M)[1], 16)
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    self.assertTrue(blocked >> (number - 1) & 1, f"{number} in a thread of {service.process.args}")
            while service.process.poll() is None:
                service.process.send_signal(signal.SIGTERM)
            self.assertEqual(service.process.returncode, 0)

    def test_a_peer_that_resets_harms_nobody(self):
        with HttpsService([self.ec], rest=self.with_large) as service:
            for say in (lambda client: None, lambda client: client.sendall(request("/packages/large")),
                        lambda client: client.sendall(b"GET")):
                for _ in range(20):
                    with service.tls() as client:
                        say(client)
                        reset_on_close(client)
            with service.tls() as client:
                self.assertEqual(exchange(client, "/update")[0][:13], b"HTTP/1.1 200 ")


class Limits(WithCertificates):
    def test_handshake_timeout(self):
        with HttpsService([self.ec], rest='[limits]\n  tls_handshake_timeout = "1s"\n') as service:
            for said in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", client_hello()):
                start = time.monotonic()
                with service.raw() as client:
                    client.sendall(said)
                    receive_all(client)
                self.assertGreater(time.monotonic() - start, 0.8, said[:8])
                self.assertLess(time.monotonic() - start, 3.5, said[:8])
            # Bytes that trickle in do not put it off.
            start = time.monotonic()
            with service.raw() as client, contextlib.suppress(ConnectionError, TimeoutError):
                client.settimeout(0.1)
                for byte in client_hello()[:-1] * 2:
                    client.sendall(bytes([byte]))
                    with contextlib.suppress(TimeoutError):
                        if not client.recv(100):
                            break
                    self.assertLess(time.monotonic() - start, 3.5)

    def test_min_version(self):
        with HttpsService([self.ec]) as service, service.tls() as client:
            has_tls13 = client.version() == "TLSv1.3"
        if not has_tls13:
            service = HttpsService([self.ec], '  tls_min_version = "1.3"\n')
            with self.assertRaisesRegex(RuntimeError, "has no TLS 1.3; use TLS 1.2, or mbedTLS 3.6") as refused:
                service.__enter__()
            service.__exit__(type(refused.exception))
            return
        with HttpsService([self.ec], '  tls_min_version = "1.3"\n') as service:
            with self.assertRaises(ssl.SSLError):
                service.tls(trusting_all(maximum_version=ssl.TLSVersion.TLSv1_2))
            with service.tls() as client:
                self.assertEqual(client.version(), "TLSv1.3")

    def test_max_handshakes(self):
        """The key has its effect in the program: with it those that have waited longest are closed, without it none."""
        hello = client_hello()
        for rest, dropped in (("[limits]\n  max_handshakes = 2\n", True), ("", False)):
            with HttpsService([self.rsa], "  tls_threads = 1\n", rest) as service, contextlib.ExitStack() as stack:
                clients = [stack.enter_context(service.raw(f"127.0.2.{i + 1}")) for i in range(60)]
                for client in clients:
                    client.sendall(hello)
                answered = 0
                for client in clients:
                    with contextlib.suppress(ConnectionResetError):
                        answered += client.recv(1) == b"\x16"
                self.assertEqual(answered < 60, dropped, f"{answered} of 60 were answered")
                self.assertGreater(answered, 0)
                if dropped:
                    service.await_log(r"more handshakes wait than \[limits\] max_handshakes allows")

    def test_connections(self):
        with HttpsService([self.ec], rest="[limits]\n  max_connections = 20\n  max_connections_per_address = 0\n") as service, \
                contextlib.ExitStack() as stack:
            # One of them makes room for each that comes.
            clients = [stack.enter_context(service.tls()) for _ in range(20)]
            for client in clients:
                client.sendall(request("/update"))
                read_answer(client.makefile("rb"))
            for number in range(20):
                with service.tls() as client:
                    self.assertEqual(exchange(client, "/update")[0][:13], b"HTTP/1.1 200 ", number)
        with HttpsService([self.ec], rest="[limits]\n  max_connections_per_address = 3\n") as service, contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(service.tls(source="127.1.0.1"))
            for _ in range(20):
                with self.assertRaisesRegex(ssl.SSLError, "(?i)alert.internal.error"):
                    service.tls(source="127.1.0.1").close()
            with service.tls(source="127.1.0.2") as client:
                self.assertEqual(exchange(client, "/update")[0][:13], b"HTTP/1.1 200 ")

    def test_threads_for_handshakes(self):
        counts = []
        for threads in (2, 5):
            with HttpsService([self.ec], f"  tls_threads = {threads}\n") as service:
                service.tls().close()
                counts.append(len(os.listdir(f"/proc/{service.process.pid}/task")))
        self.assertEqual(counts[1] - counts[0], 3)

    def test_threads_that_compute_preempt_nobody(self):
        with HttpsService([self.ec]) as service:
            pid = service.process.pid
            with service.tls():
                after = thread_policies(pid)
            self.assertEqual(after.pop(pid), os.sched_getscheduler(0), "the loop")
            self.assertIn(os.SCHED_BATCH, after.values())

    def test_the_scheduling_that_it_is_started_with_stays(self):
        with HttpsService([self.ec], wrapper=["chrt", "--batch", "0"]) as service:
            self.assertEqual(os.sched_getscheduler(service.process.pid), os.SCHED_BATCH)

    @unittest.skipIf(SANITIZED, "a sanitizer has memory of its own")
    def test_memory_of_idle_connections(self):
        def resident(service):
            with open(f"/proc/{service.process.pid}/status", encoding="ascii") as status:
                return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1]) * 1024

        with HttpsService([self.ec], rest="[limits]\n  max_connections_per_address = 0\n") as service:
            def open_one(_):
                client = service.tls()
                client.sendall(request("/update"))
                reader = client.makefile("rb")
                read_answer(reader)
                return client

            # One after the other: what handshakes take at their time is not what a connection keeps.
            with concurrent.futures.ThreadPoolExecutor(4) as pool, contextlib.ExitStack() as stack:
                for client in pool.map(open_one, range(50)):
                    stack.enter_context(client)
                before = resident(service)
                for client in pool.map(open_one, range(IDLE_CONNECTIONS)):
                    stack.enter_context(client)
                each = (resident(service) - before) / IDLE_CONNECTIONS
                print(f"\n  {IDLE_CONNECTIONS} idle connections of TLS: {each / 1024:.1f} KiB each", flush=True)
                self.assertLess(each, IDLE_BYTES)


if __name__ == "__main__":
    runner.run()
