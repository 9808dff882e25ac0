# SPDX-License-Identifier: MIT
"""The program as an operator meets it: options, exit codes, messages, signals."""

import grp
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import runner
from certificates import make_certificate
from https_service import HttpsService
from pairport_process import Pairport, binary, queues

ROOT = runner.ROOT
PROBE = os.path.join(os.environ.get("PAIRPORT_BUILD", str(ROOT / "build" / "release")), "bin", "sandbox_probe")
SECRET = "hunter2-secret"
STATIC = f"""
[static-deposit]
  code = "0000000"
  connect_url = "http://rport.example.com:8080"
  fingerprint = "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24"
  client_id = "client1"
  password = "{SECRET}"
"""


def run(*arguments, config=None, env=None, cwd=None, seconds=60):
    with tempfile.TemporaryDirectory() as folder:
        if config is not None:
            path = os.path.join(folder, "test.conf")
            pathlib.Path(path).write_text(config, encoding="utf-8")
            arguments = ("-c", path, *arguments)
        return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=seconds, cwd=cwd or folder,
                              env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL)


def places_of(pid, needle):
    """Where `needle` is in the memory of a process: names of mappings, but for those that hold credentials, which are
    left out of core dumps (or cannot be read at all: memfd_secret)."""
    found = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as smaps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for entry in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", smaps.read(), flags=re.M)[1:]:
            start, end = (int(number, 16) for number in entry.split(" ", 1)[0].split("-"))
            if re.search(r"^VmFlags:.* dd\b", entry, re.M) or not entry.split(" ")[1].startswith("r") or "[vvar" in entry or "secretmem" in entry:
                continue
            memory.seek(start)
            if needle in memory.read(end - start):
                found.append(entry.splitlines()[0])
    return found


class CommandLine(unittest.TestCase):
    def test_help_names_every_option_and_exit_code(self):
        for option in ("-h", "--help"):
            result = run(option)
            self.assertEqual(result.returncode, 0)
            self.assertEqual(result.stderr, "")
            for word in ("-c FILE", "--check-config", "--version", "--help", "Exit codes: 0", "1 failure", "2 wrong"):
                self.assertIn(word, result.stdout)

    def test_version(self):
        for option in ("-v", "--version"):
            result = run(option)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertRegex(result.stdout, r"^pairport \d+\.\d+\.\d+ \(libuv [\d.]+, llhttp [\d.]+, simdjson [\d.]+, [Mm]bed TLS [\d.]+\)\n$")

    def test_wrong_usage_is_exit_code_2_with_one_line(self):
        for arguments in (["--nonsense"], ["-c"], ["extra"], ["--check-config=maybe"]):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
            self.assertIn("--help", result.stderr)

    def test_check_config(self):
        good = run("--check-config", config=STATIC)
        self.assertEqual(good.returncode, 0, good.stderr)
        self.assertIn("valid", good.stderr)
        bad = run("--check-config", config='[server]\nadress = "x"\n[pairing]\nttl = "never"\n')
        self.assertEqual(bad.returncode, 2)
        self.assertRegex(bad.stderr, r"test\.conf:2: \[server\] adress: there is no such key")
        self.assertRegex(bad.stderr, r"test\.conf:4: \[pairing\] ttl: expected a duration")
        wrong_deposit = run("--check-config", config=STATIC.replace("client1", "client:1"))
        self.assertEqual(wrong_deposit.returncode, 2)
        self.assertRegex(wrong_deposit.stderr, r"test\.conf:2: \[static-deposit\]: .*client_id contains a colon")
        for result in (good, bad, wrong_deposit):
            self.assertNotIn(SECRET, result.stderr)

    def test_the_example_configuration_is_valid_also_with_every_key_switched_on(self):
        example = (ROOT / "packaging" / "pairport.conf").read_text(encoding="utf-8")
        self.assertEqual(run("--check-config", config=example).returncode, 0)
        lines = []
        for line in example.splitlines():
            # "#key = ..." and "#[table]" are keys that need not be set; "# Text" is an explanation.
            lines.append(re.sub(r"^(\s*)#( *[a-z0-9_]+ =|\[[a-z-]+\])", r"\1\2", line))
        everything = "\n".join(lines).replace('"/etc/pairport/templates"', f'"{ROOT}/render/scripts/templates"')
        for folder in ("/var/lib/pairport/packages", "/var/www/letsencrypt"):
            everything = everything.replace(f'"{folder}"', '"/tmp"')
        self.assertIn('\n  code = "0000000"', everything)
        everything = everything.replace('\n  address = "127.0.0.1:9978"', '\n  address = ["https://:443", "http://:80", "unix:/run/pairport/pairport.sock"]')
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = make_certificate(folder)
            everything = re.sub(r'"[^"]*fullchain.pem"', f'"{certificate}"', everything)
            everything = re.sub(r'"[^"]*privkey.pem"', f'"{key}"', everything)
            result = run("--check-config", config=everything)
            self.assertEqual((result.returncode, result.stderr.count("\n")), (0, 1), result.stderr)

    def test_a_configuration_that_is_not_there(self):
        result = run("-c", "/nonexistent/pairport.conf")
        self.assertEqual(result.returncode, 2)
        self.assertIn("looked for /nonexistent/pairport.conf", result.stderr)
        result = run("-c", "no-such-name.conf", env={"HOME": "/nonexistent"})
        self.assertIn("looked for /etc/rport/no-such-name.conf, /nonexistent/.rport/no-such-name.conf, ./no-such-name.conf", result.stderr)

    def test_a_name_without_slash_is_found_in_home_and_here(self):
        with tempfile.TemporaryDirectory() as home:
            os.mkdir(os.path.join(home, ".rport"))
            pathlib.Path(home, ".rport", "mine.conf").write_text("", encoding="utf-8")
            result = run("-c", "mine.conf", "--check-config", env={"HOME": home})
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(f"{home}/.rport/mine.conf", result.stderr)
            pathlib.Path(home, "rport-pairing.conf").write_text("", encoding="utf-8")
            result = run("--check-config", env={"HOME": "/nonexistent"}, cwd=home)
            self.assertIn("./rport-pairing.conf", result.stderr)

    def test_bad_templates_stop_the_start_with_file_and_line(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "linux"))
            pathlib.Path(folder, "linux", "installer.sh").write_text("#!/bin/sh\nX={{pasword}}\n", encoding="utf-8")
            result = run("--check-config", config=f'[installer]\ntemplates = "{folder}"\n')
            self.assertEqual(result.returncode, 2)
            self.assertIn("linux/installer.sh:2: there is no slot {{pasword}}; known are:", result.stderr)

    def test_folders_and_templates_that_cannot_be_read_stop_the_start(self):
        for table, key in (("installer", "templates"), ("installer", "package_dir"), ("server", "acme_webroot")):
            server = '[server]\naddress = "127.0.0.1:0"\n'
            other = "" if table == "server" else f"[{table}]\n"
            for arguments in ([], ["--check-config"]):
                result = run(*arguments, config=f'{server}{other}{key} = "/nonexistent"\n')
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(f"[{table}] {key}: /nonexistent is not a folder that can be read", result.stderr)
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "linux", "installer.sh"))  # there, but no file
            result = run("--check-config", config=f'[installer]\ntemplates = "{folder}"\n')
            self.assertEqual(result.returncode, 2, "a template that is there is never replaced by the built-in one")
            self.assertIn("cannot read the template", result.stderr)

    def test_a_folder_is_no_configuration(self):
        result = run("-c", "/tmp")
        self.assertEqual(result.returncode, 2)
        self.assertIn("cannot read /tmp: Is a directory", result.stderr)

    def test_port_in_use_is_exit_code_1_and_says_what_to_do(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            result = run(config=f'[server]\naddress = "127.0.0.1:{other.getsockname()[1]}"\n')
        self.assertEqual(result.returncode, 1)
        self.assertIn("Address already in use; stop the program that uses it", result.stderr)

    def test_several_addresses(self):
        with tempfile.TemporaryDirectory() as folder:
            addresses = f'["unix:{folder}/s", "http://127.0.0.1:0", "http://localhost:0/"]'
            with Pairport(f"[server]\n  address = {addresses}\n" + STATIC) as service:
                self.assertEqual(service.addresses[0], f"unix:{folder}/s")
                self.assertIn(f"clients reach this service at {service.addresses[1]}\n".encode(), service.log)
                for address in service.addresses[1:]:
                    with urllib.request.urlopen(address + "/0000000") as answer:
                        self.assertEqual(answer.status, 200)
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.connect(f"{folder}/s")
                    peer.sendall(b"GET /0000000 HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertTrue(peer.recv(100).startswith(b"HTTP/1.1 200 "))
            self.assertEqual(os.listdir(folder), [])

    def test_one_address_that_cannot_be_had_stops_the_start(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            result = run(config=f'[server]\naddress = ["unix:{folder}/s", "127.0.0.1:0", "{taken}"]\n')
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"cannot listen on {taken}: Address already in use", result.stderr)
            self.assertNotIn("listening on", result.stderr)
            self.assertEqual(os.listdir(folder), [], "the socket of the address before is gone, too")

    def test_certificates_that_will_not_do_are_exit_code_2(self):
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = make_certificate(folder)
            other, other_key = make_certificate(folder, "other", rsa=True)
            _, encrypted = make_certificate(folder, "encrypted", passphrase="TopSecret")
            open_key = f"{folder}/open.key"
            shutil.copy(key, open_key)
            os.chmod(open_key, 0o644)
            not_a_key = f"{folder}/not_a.key"
            shutil.copy(certificate, not_a_key)
            os.chmod(not_a_key, 0o600)
            for cert, private, expected in [
                ("/nonexistent", key, "[server] tls_cert: /nonexistent: cannot be read: No such file or directory"),
                (certificate, folder, f"[server] tls_key: {folder}: not a regular file"),
                (certificate, open_key, f"everybody on this machine can use the key; take that away: chmod o= {open_key}"),
                (certificate, encrypted, "the key is encrypted; write it without a passphrase: openssl pkey"),
                (certificate, other_key, "the key does not belong to the first certificate of the chain"),
                (key, key, f"[server] tls_cert: {key}: the certificate is not valid PEM: "),
                (certificate, not_a_key, "the key is not a valid PEM private key: "),
            ]:
                if private == encrypted:
                    cert = f"{folder}/encrypted.crt"
                for arguments in ([], ["--check-config"]):
                    config = f'[server]\naddress = "https://127.0.0.1:0"\ntls_cert = "{cert}"\ntls_key = "{private}"\n'
                    result = run(*arguments, config=config)
                    self.assertEqual(result.returncode, 2, expected)
                    self.assertIn(expected, result.stderr)
                    self.assertNotIn("listening", result.stderr)
            config = f'[server]\naddress = "https://127.0.0.1:0"\ntls_cert = "{other}"\ntls_key = "{other_key}"\n'
            self.assertEqual(run("--check-config", config=config).returncode, 0)

    def test_bad_addresses_are_exit_code_2(self):
        for address in ("nonsense", "127.0.0.1:99999", "unix:"):
            for arguments in ([], ["--check-config"]):
                result = run(*arguments, config=f'[server]\naddress = "{address}"\n')
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertRegex(result.stderr, r"test\.conf:2: \[server\] address: expected host:port")
        for url in ("example.com", "http://", "http://:9", "https:///x"):
            self.assertEqual(run("--check-config", config=f'[server]\nurl = "{url}"\n').returncode, 2, url)
        result = run(config='[server]\nurl = "https://x.example.com/?q=1"\naddress = "127.0.0.1:0"\n')
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, r"test\.conf:2: \[server\] url: expected an http or https URL with a host")

    def test_a_unix_socket_needs_a_url(self):
        with tempfile.TemporaryDirectory() as folder:
            result = run(config=f'[server]\naddress = "unix:{folder}/s"\n')
            self.assertEqual(result.returncode, 2)
            self.assertRegex(result.stderr, r"test\.conf:1: \[server\] url: is missing: a Unix socket has no URL")
            with Pairport(f'[server]\n  address = "unix:{folder}/s"\n  url = "https://p.example.com"\n' + STATIC) as service:
                answer = b""
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(f"{folder}/s")
                    client.sendall(b"GET /0000000 HTTP/1.0\r\n\r\n")
                    while data := client.recv(65536):
                        answer += data
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"))
                self.assertEqual(service.stop(), 0)
            self.assertFalse(os.path.exists(f"{folder}/s"))

    def test_signals_end_it_with_exit_code_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Pairport(STATIC) as service:
                idle = socket.create_connection(("127.0.0.1", service.port))
                service.process.send_signal(number)
                start = time.monotonic()
                self.assertEqual(service.stop(), 0, "a second signal does not kill it either")
                self.assertLess(time.monotonic() - start, 5, "an idle connection does not hold it up")
                idle.close()
                self.assertIn(b"stopped", service.log)

    def test_signals_that_ask_for_something_never_kill(self):
        with Pairport(STATIC) as service:
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGXFSZ, signal.SIGPIPE):
                service.process.send_signal(number)
                self.assertEqual(service.get("/0000000")[0], 200, number)
            status = pathlib.Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
            ignored = int(re.search(r"^SigIgn:\s*(\w+)$", status, re.M)[1], 16)
            for number in (signal.SIGUSR1, signal.SIGUSR2):
                self.assertTrue(ignored >> (number - 1) & 1, "from before the loop to the very end")
            self.assertEqual(service.stop(), 0)

    def test_without_ipv6_all_interfaces_are_those_of_ipv4(self):
        with Pairport(STATIC, address=":0", wrapper=[PROBE, "--without", "socket6=EAFNOSUPPORT"]) as service:
            self.assertRegex(service.address, r"^http://0\.0\.0\.0:\d+$")
            self.assertEqual(service.get("/0000000")[0], 200)
        with Pairport(STATIC, address=":0") as service:
            self.assertRegex(service.address, r"^http://(\[::\]|0\.0\.0\.0):\d+$")
            self.assertEqual(service.get("/0000000")[0], 200)

    @unittest.skipUnless(os.path.exists("/proc/net/if_inet6"), "SKIPPED: no IPv6 here")
    def test_where_the_port_is_taken_in_ipv6_there_is_no_half_of_all_interfaces(self):
        with socket.socket(socket.AF_INET6) as other:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            other.bind(("::", 0))
            other.listen()
            result = run(config=f'[server]\naddress = ":{other.getsockname()[1]}"\nurl = "http://p.example.com"\n')
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("Address already in use", result.stderr)

    def test_a_proxy_that_is_not_trusted_is_told_at_the_start(self):
        words = b"warning: a proxy seems to be in front of this service"
        url, trusted = '  url = "https://p.example.com"\n', '  trusted_proxies = ["127.0.0.1"]\n'
        with tempfile.TemporaryDirectory() as folder:
            unix = f'  address = "unix:{folder}/s"\n'
            both = f'  address = ["unix:{folder}/s", "127.0.0.1:0"]\n'
            for server, told in ((url, True), (unix + url, True), (both + url, True), ("", False), (url + trusted, False),
                                 ('  url = "http://localhost:8080"\n', False), ('  url = "http://[::1]:1"\n', False),
                                 ('  address = ":0"\n' + url, False), ('  address = ["127.0.0.1:0", ":0"]\n' + url, False)):
                with Pairport("[server]\n" + server) as service:
                    service.stop()
                    self.assertEqual(words in service.log, told, (server, service.log))

    def test_a_socket_for_a_group(self):
        with tempfile.TemporaryDirectory() as folder:
            server = f'[server]\n  address = "unix:{folder}/s"\n  url = "https://p.example.com"\n'
            group = os.getgroups()[-1] if os.getgroups() else os.getgid()
            for more, mode, owner in (("", 0o666, None), ('  socket_mode = "0660"\n', 0o660, None),
                                      (f'  socket_mode = "600"\n  socket_group = "{group}"\n', 0o600, group),
                                      (f'  socket_group = "{grp.getgrgid(group).gr_name}"\n', 0o666, group)):
                with Pairport(server + more):
                    status = os.stat(f"{folder}/s")
                    self.assertEqual(oct(status.st_mode & 0o7777), oct(mode))
                    self.assertEqual(status.st_gid, os.getgid() if owner is None else owner)
            for arguments in ([], ["--check-config"]):
                result = run(*arguments, config=server + '  socket_group = "no-such-group"\n')
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn("[server] socket_group: there is no group no-such-group", result.stderr)
            self.assertEqual(os.listdir(folder), [])

    def test_a_socket_that_makes_everybody_a_trusted_proxy_is_told(self):
        words = b"warning: every user of this machine can connect to unix:"
        with tempfile.TemporaryDirectory() as folder:
            server = f'[server]\n  address = "unix:{folder}/s"\n  url = "https://p.example.com"\n  trusted_proxies = ["unix"]\n'
            for permissions, more, told in ((0o755, "", True), (0o750, "", False), (0o755, '  socket_mode = "0660"\n', False)):
                os.chmod(folder, permissions)
                with Pairport(server + more) as service:
                    self.assertEqual(words in service.log, told, service.log)

    def test_a_name_that_cannot_be_resolved_yet_is_exit_code_1(self):
        # While a machine boots: nobody answers on the name server's port. Exit code 2 would be for good.
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", encoding="ascii")
            pathlib.Path(folder, "c.conf").write_text('[server]\naddress = "not.yet.example.com:9978"\n', encoding="utf-8")
            command = ["unshare", "-rnm", "sh", "-c", 'mount --bind "$1/resolv.conf" /etc/resolv.conf && exec "$0" -c "$1/c.conf"', binary(), folder]
            result = subprocess.run(command, capture_output=True, text=True, timeout=60)
            if "unshare" in result.stderr or "mount" in result.stderr:
                self.skipTest("SKIPPED: no name space of its own here: " + result.stderr)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("cannot resolve 'not.yet.example.com' of [server] address: ", result.stderr)

    @unittest.skipIf(os.environ.get("PAIRPORT_SANITIZE"), "SKIPPED: sanitizers keep freed memory")
    @unittest.skipUnless(os.geteuid() == 0, "SKIPPED: needs root to read the memory of a process that forbids it")
    def test_the_static_deposit_is_nowhere_but_where_credentials_are_kept(self):
        # Short ones are in the objects of strings themselves, long ones on the heap; escapes go through the parser's buffer.
        for password in ("Kq7xZ2mW9p", "Kq7xZ2mW9p" * 6, "Kq7xZ2mW9p" * 40):
            config = STATIC.replace(SECRET, password).replace("client1", "idof" + password[:10])
            config += f'#{"x" * 20_000}\n'  # more than a buffer of the library holds
            with Pairport(config) as service:
                self.assertEqual(service.get("/0000000")[0], 200)
                found = places_of(service.process.pid, password[:10].encode())
                self.assertEqual(found, [], f"{len(password)} characters")

    def test_memory_is_really_searched(self):
        if os.geteuid() != 0:
            self.skipTest("SKIPPED: needs root")
        with Pairport(STATIC) as service:
            self.assertTrue(places_of(service.process.pid, b"rport-installer.sh"))

    def test_answers_under_way_are_finished(self):
        with Pairport(STATIC) as service:
            client = socket.create_connection(("127.0.0.1", service.port))
            # More than both socket buffers hold, so that one answer is under way when the signal comes.
            client.sendall(b"GET /0000000 HTTP/1.1\r\nHost: x\r\n\r\n" * 400)
            deadline = time.monotonic() + 30
            while queues(client)[0] == 0:
                self.assertLess(time.monotonic(), deadline, "the buffers get full")
                time.sleep(0.01)
            received = bytearray()

            def read():
                while data := client.recv(65536):
                    received.extend(data)

            service.process.send_signal(signal.SIGTERM)
            reader = threading.Thread(target=read)
            reader.start()
            self.assertEqual(service.stop(), 0)
            reader.join()
            client.close()
            complete, rest = 0, bytes(received)
            while rest:
                head, _, rest = rest.partition(b"\r\n\r\n")
                length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
                self.assertGreaterEqual(len(rest), length, "no answer is cut off")
                rest, complete = rest[length:], complete + 1
            self.assertGreater(complete, 0)

    def test_the_log_says_where_it_stands_and_holds_no_secret(self):
        with Pairport(STATIC) as service:
            service.get("/0000000")
            service.deposit(connect_url="http://rport.example.com", fingerprint=":".join(["2a"] * 16), client_id="id",
                            password=SECRET + "2")
            service.stop()
            log = service.log.decode()
        self.assertRegex(log, r"memory for credentials: (plain|locked|memfd_secret)\n")
        self.assertRegex(log, r"clients reach this service at http://127\.0\.0\.1:\d+\n")
        for line in log.splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (info|warning|error): ")
        self.assertNotIn(SECRET, log)
        self.assertNotIn("0000000", log)

    def test_short_codes_are_told_with_the_time_to_a_first_hit(self):
        for config, told in (("", False), ("[pairing]\n  code_length = 10\n", False), ("[pairing]\n  code_length = 7\n", True)):
            with Pairport(config) as service:
                service.stop()
            self.assertEqual(b"warning: [pairing] code_length: codes of 7 characters are short" in service.log, told, config)
            self.assertEqual(b"found after 1.1 hours on average" in service.log, told)

    def test_core_dumps_are_off(self):
        with Pairport(STATIC) as service:
            limits = pathlib.Path(f"/proc/{service.process.pid}/limits").read_text(encoding="utf-8")
            self.assertRegex(limits, r"Max core file size\s+0\s+0")
            # Not dumpable: the entries in /proc belong to root, whoever runs it.
            self.assertEqual(os.stat(f"/proc/{service.process.pid}/mem").st_uid, 0)

    def test_locked_memory_can_be_required(self):
        config = '[security]\nrequire_locked_memory = true\n[server]\naddress = "127.0.0.1:0"\n'
        with Pairport(config) as service:
            self.assertRegex(service.log, rb"memory for credentials: (locked|memfd_secret)")

    @unittest.skipIf(os.environ.get("PAIRPORT_SANITIZE"), "sanitizers turn mlock(2) into a no-op")
    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv to take the right away")
    def test_without_locked_memory_it_does_not_start_when_that_is_required(self):
        config = '[security]\nrequire_locked_memory = true\n[server]\naddress = "127.0.0.1:0"\n'
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            path = os.path.join(folder, "c.conf")
            pathlib.Path(path).write_text(config, encoding="utf-8")
            os.chmod(path, 0o644)
            program = shutil.copy(binary(), folder)
            os.chmod(program, 0o755)
            result = subprocess.run(
                ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "sh", "-c",
                 f'ulimit -l 0 && exec "{program}" -c "{path}"'], capture_output=True, text=True, timeout=60)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertIn("LimitMEMLOCK=", result.stderr)

    @unittest.skipIf(os.environ.get("PAIRPORT_SANITIZE"), "sanitizers turn mlock(2) into a no-op")
    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root and setpriv to take the right away")
    def test_root_without_the_right_to_lock_memory_is_told_like_anybody(self):
        """As in a container: its root is bound by RLIMIT_MEMLOCK."""
        bound = ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]
        limit = ["sh", "-c", 'ulimit -l 600 && exec "$0" "$@"']
        told = rb"RLIMIT_MEMLOCK is 600 KiB: beyond it credentials are refused"
        config = "[pairing]\n  max_memory = \"64M\"\n[limits]\n  deposits_per_second = 0\n[security]\n  require_locked_memory = true\n"
        with Pairport(config, wrapper=[*bound, *limit]) as service:
            self.assertRegex(service.log, told)
            status = 200
            for _ in range(20_000):
                status, _, body = service.request("POST", "/", {"Content-Type": "application/json"}, json.dumps(
                    {"connect_url": "http://h:1/" + "x" * 2000, "fingerprint": ":".join(["2a"] * 16), "client_id": "c", "password": "p" * 1000}))
                if status != 200:
                    break
            self.assertEqual((status, body), (503, b"the service has no locked memory left for credentials; try again later\n"))
            self.assertEqual(service.get("/update")[0], 200)
            self.assertEqual(service.stop(), 0)
            self.assertRegex(service.log, rb"deposits are refused: \d+ are held, in \d+ KiB; see .*, and RLIMIT_MEMLOCK with \[security\]")
        # A lock of the whole process would make later mappings fail.
        with tempfile.TemporaryDirectory() as folder, HttpsService([make_certificate(folder)], wrapper=[*bound, *limit]) as service:
            self.assertIn(b"memory of TLS: not locked: RLIMIT_MEMLOCK is not unlimited", service.log)
        capabilities = re.search(r"^CapEff:\s*(\w+)$", pathlib.Path("/proc/self/status").read_text(encoding="ascii"), re.M)[1]
        if int(capabilities, 16) >> 14 & 1:  # CAP_IPC_LOCK
            with Pairport(config, wrapper=limit) as service:
                self.assertNotRegex(service.log, told)


if __name__ == "__main__":
    runner.run()
