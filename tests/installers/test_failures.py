# SPDX-License-Identifier: MIT
"""What goes wrong is said, with cause and remedy, with the documented exit code, and leaves the machine as it was."""

import contextlib
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import support
from support import ARCHIVE, IsolatedRoot, client, client_archive

QUICK = {"RPORT_INSTALLER_WAIT": "2"}


class Failures(support.InstallerTest):
    def unchanged(self, code, words, args=(), script=None, prepare=None, env=None, kind="host"):
        with self.subTest(words=words, args=args), IsolatedRoot(kind) as root:
            if prepare:
                prepare(root)
            before = root.snapshot()
            result = root.run(script or self.script(), args, env={**QUICK, **(env or {})})
            self.assertExit(result, code)
            for word in words if isinstance(words, tuple) else (words,):
                self.assertIn(word, result.stderr.decode())
            self.assertEqual(root.changes(before), {})
            self.assertEqual(root.processes("rport"), [])
            self.assertEqual([n.name for n in root.path("/tmp").iterdir() if n.name.startswith("rport.")], [])

    def serve(self, path, content):
        self.addCleanup(self.web.files.pop, path, None)
        self.web.files[path] = content
        return self.web.url + path

    def test_wrong_usage(self):
        for args in (["-Q"], ["-a"], ["-g"], ["-z"], ["-V"], ["-b"], ["stray"], ["-x", "stray"], ["-a", "root"], ["-a", "x;y"], ["-g", ""],
                     ["-V", "1;2"], ["-g", "a\nb"], ["--help"], ["-xsQ"]):
            self.unchanged(1, "Usage:", args)

    def test_not_root(self):
        with IsolatedRoot() as root:
            root.write("/tmp/rport-installer.sh", self.script(), 0o644)
            result = root.call(["/usr/bin/setpriv", "--reuid=65534", "--clear-groups", "sh", "/tmp/rport-installer.sh"])
            self.assertExit(result, 1)
            self.assertIn(b"root", result.stderr)

    @support.essential
    def test_server_cannot_be_reached(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            closed = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.unchanged(2, ("cannot reach the server", "Refused", "port"), script=self.script(url=closed))
            self.unchanged(2, ("cannot reach the server", "Refused"), script=self.script(url=closed), kind="busybox")
        self.unchanged(2, ("cannot reach the server", "DNS"), script=self.script(url="http://no.such.host.invalid"))
        self.unchanged(2, ("cannot reach the server", "proxy"), env={"http_proxy": "http://no.such.host.invalid:1"})
        tls = self.web.url.replace("http:", "https:")
        self.unchanged(2, ("cannot reach the server", "TLS"), script=self.script(url=tls))

    def test_a_certificate_of_its_own_is_named_in_the_line_that_says_it(self):
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
                            "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder + "/key", "-out", folder + "/cert"],
                           check=True, capture_output=True)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(folder + "/cert", folder + "/key")

            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        connection = listener.accept()[0]
                        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                            pass
            threading.Thread(target=serve, daemon=True).start()
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            with IsolatedRoot() as root:
                result = root.run(self.script(url=url))
                self.assertExit(result, 2)
                lines = result.stderr.decode().splitlines()
                self.assertIn("TLS failed: check its certificate", lines[1])
                self.assertRegex(lines[2], r"^ +curl: \(60\) ")
                self.assertEqual(len(lines), 3, lines)
            listener.shutdown(socket.SHUT_RDWR)

    def test_bad_downloads(self):
        html = b"<!DOCTYPE html><html><body>Please log in</body></html>"
        good = client_archive()
        for name, content, words in (("none", 404, "cannot download"), ("broken", 500, "cannot download"), ("empty", b"", "empty"),
                                     ("html", html, "web page"), ("text", b"hello", "no package"), ("cut", good[:5000], "cut off"),
                                     ("other", support.archive({"x": b"y"}), "lacks rport"),
                                     ("arm", support.archive({"rport": b"\x7fELF\1\1\1no program"}), "does not run")):
            self.unchanged(3, words, ["-z", self.serve(f"/bad/{name}.tar.gz", content)])
        private = self.serve("/private.tar.gz", 401)
        for tool in ("curl", "wget", "busybox"):
            def only(root, tool=tool):
                if tool != "curl":
                    root.path("/usr/bin/curl").unlink()
                if tool == "busybox":
                    root.call(["ln", "-sf", support.busybox(), "/usr/bin/wget"])
            self.unchanged(3, ("RPORT_INSTALLER_DL_USERNAME", "sudo -E"), ["-z", private], prepare=only)
        self.unchanged(3, "cannot download", ["-z", "http://127.0.0.1:9/x.tar.gz"])
        self.unchanged(1, "RPORT_INSTALLER_DL_USERNAME", ["-z", "http://user:word@127.0.0.1:9/x.tar.gz"])
        self.unchanged(1, "http", ["-z", "file:///etc/passwd"])
        self.unchanged(3, "cannot download", ["-V", "9.9.9"])
        link = client_archive()
        self.serve("/taco/unstable/", 404)
        self.unchanged(3, "cannot download", ["-t", "-i"])
        self.assertTrue(link)

    def test_checksums(self):
        name = ARCHIVE.format("0.9.14")
        right = hashlib.sha256(self.web.files["/" + name]).hexdigest()
        self.serve("/0.9.14/checksums.txt", f"{'0' * 64}  {name}\n".encode())
        self.unchanged(3, ("sha256", "expected 0000"))
        self.serve("/0.9.14/checksums.txt", f"{'0' * 64}  other\n{right} *{name}\n".encode())
        with IsolatedRoot() as root:
            result = root.run(self.script())
            self.assertExit(result, 0)
            self.assertIn(b"sha256 is correct", result.stdout)
        with support.Pairport(support.configuration(self.web.url, f'  sha256 = {{ "{name}" = "{"1" * 64}" }}')) as service:
            code = service.deposit(connect_url=self.web.url, fingerprint=support.FINGERPRINT, client_id="abcd", password="efgh")["pairing_code"]
            self.unchanged(3, ("sha256", "expected 1111", "pinned"), script=service.get("/" + code)[2])
        with support.Pairport(support.configuration(self.web.url, f'  sha256 = {{ "{name}" = "{right}" }}')) as service, IsolatedRoot() as root:
            code = service.deposit(connect_url=self.web.url, fingerprint=support.FINGERPRINT, client_id="abcd", password="efgh")["pairing_code"]
            result = root.run(service.get("/" + code)[2])
            self.assertExit(result, 0)
            self.assertIn(b"pinned", result.stdout)

    def test_full_disk(self):
        def fill(root):  # a small file system where the program would go
            root.call(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "tmpfs", "/usr/local/bin"])
        self.unchanged(1, "disk full", prepare=fill)
        self.unchanged(3, "disk", prepare=lambda root: root.call(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/tmp/small"])
                       if root.path("/tmp/small").mkdir() is None else None, env={"TMPDIR": "/tmp/small"})
        self.unchanged(1, "disk full", prepare=lambda root: root.call(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/var/lib"]))

    def test_no_downloader(self):
        self.unchanged(1, ("curl", "wget"), prepare=lambda root: root.call(["rm", "/usr/bin/curl", "/usr/bin/wget"]))

    def test_selinux(self):
        def enforcing(root):
            root.write("/usr/local/sbin/getenforce", "#!/bin/sh\necho Enforcing\n", 0o755)
            root.write("/usr/local/sbin/restorecon", "#!/bin/sh\necho \"$@\" >>/tmp/restored\n", 0o755)
        self.unchanged(1, ("SELinux", "-l"), prepare=enforcing)
        with IsolatedRoot() as root:
            enforcing(root)
            self.assertExit(root.run(self.script(), ["-l"]), 0)
            self.assertIn(b"/etc/rport", root.read("/tmp/restored"))

    def test_unknown_processor(self):
        self.unchanged(1, "processor", prepare=lambda root: root.write("/usr/local/sbin/uname", "#!/bin/sh\necho pdp11\n", 0o755))

    def test_left_alone(self):
        cases = {"is a link": lambda root: (root.write("/etc/rport/real.conf", "[client]\nserver = 'x'\n"),
                                       root.path("/etc/rport/rport.conf").symlink_to("real.conf")),
                 "sections": lambda root: root.write("/etc/rport/rport.conf", "client.server = 'x'\n"),
                 "usual sections": lambda root: root.write("/etc/rport/rport.conf", "client = { server = 'x' }\n")}
        for word, prepare in cases.items():
            self.unchanged(5, (word, "-f"), prepare=prepare)
        with IsolatedRoot() as root:
            cases["sections"](root)
            self.assertExit(root.run(self.script(), ["-f"]), 0)

    @support.essential
    def test_not_connected(self):
        cases = {"refused": ("credentials", "new code", "Authentication failed", 0),
                 "used": ("auth_multiuse_creds", 'client auth ID is already in use: "***"', 0),
                 "duplicate": ("-d -f", "power cut", "client is already connected or previous session", 1),
                 "silent": ("No connection", "fingerprint", 1), "mismatch": ("invalid fingerprint", "fingerprint", 1),
                 "crash": ("ended at once", 0)}

        def check(play):
            *words, running = cases[play]
            with IsolatedRoot() as root:
                result = root.run(self.script(play), env=QUICK)
                self.assertExit(result, 4)
                for word in words:
                    self.assertIn(word, result.stderr.decode())
                self.assertTrue(root.exists("/etc/rport/rport.conf"))
                self.assertEqual(len(root.processes("rport")), running)
        self.side_by_side(check, [(play,) for play in cases])

    def test_an_old_connection_does_not_count(self):
        with self.paired() as root:
            self.assertExit(root.run(self.script("silent"), env=QUICK), 4)

    def test_the_random_delay_of_the_real_client(self):
        with IsolatedRoot() as root:
            self.assertExit(root.run(self.script("slow")), 0)

    def test_interrupted(self):
        with IsolatedRoot() as root:
            started = []
            self.serve("/slow.tar.gz", lambda _: (started.append(1), time.sleep(3), client_archive())[2])
            before = root.snapshot()
            root.write("/tmp/rport-installer.sh", self.script(), 0o600)
            process = root.popen(["sh", "/tmp/rport-installer.sh", "-z", self.web.url + "/slow.tar.gz"], stdout=-1, stderr=-1)
            deadline = time.monotonic() + 20
            while not started and time.monotonic() < deadline:
                time.sleep(0.02)
            for pid in root.processes("sh"):
                if pid != root.init:
                    os.kill(pid, signal.SIGTERM)
            process.communicate(timeout=30)
            self.assertEqual(process.returncode, 130)
            self.assertEqual(root.changes(before), {})

    def test_a_bad_new_program_leaves_the_old_one(self):
        with self.paired() as root:
            before = root.snapshot()
            url = self.serve("/bad.tar.gz", support.archive({"rport": b"\x7fELF no"}))
            self.assertExit(root.run(self.script(), ["-f", "-z", url]), 3)
            self.assertEqual(root.changes(before), {})
            self.assertEqual(root.read("/usr/local/bin/rport"), client())
            self.assertEqual(len(root.processes("rport")), 1)


if __name__ == "__main__":
    support.main(processes=2)
