# SPDX-License-Identifier: MIT
"""Challenges of an ACME client (RFC 8555 section 8.3) from a web root: as certbot's webroot mode writes them, and
nothing else of that folder."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import unittest

import runner
from pairport_process import Pairport

PATH = "/.well-known/acme-challenge/"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
PROOF = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"

DEBIAN_PYTHON = "/usr/bin/python3"  # which knows the packages of Debian, whatever else is called python3

# certbot's own plugin, with a key and a challenge made up for it: says what it has written, and cleans up when told to.
CERTBOT = r"""
import sys, types
import josepy
from acme import challenges, messages
from certbot import achallenges
from certbot._internal.plugins import webroot
from cryptography.hazmat.primitives.asymmetric import rsa

domain, folder = "pair.example.com", sys.argv[1]
config = types.SimpleNamespace(webroot_path=[folder], webroot_map={domain: folder}, noninteractive_mode=True)
plugin = webroot.Authenticator(config, "webroot")
plugin.prepare()
key = josepy.JWKRSA(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
body = messages.ChallengeBody(chall=challenges.HTTP01(token=josepy.b64decode(sys.argv[2])), uri="x", status=messages.STATUS_PENDING)
challenge = achallenges.KeyAuthorizationAnnotatedChallenge(challb=body, domain=domain, account_key=key)
response, = plugin.perform([challenge])
print(response.key_authorization, flush=True)
sys.stdin.readline()
plugin.cleanup([challenge])
"""


class Acme(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="pairport-webroot-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name, "www")
        self.root.mkdir()
        (self.root / "index.html").write_text("secret")
        pathlib.Path(folder.name, "outside").write_text("secret")
        self.socket = f"{folder.name}/s"
        self.service = Pairport(f'[server]\n  address = ["127.0.0.1:0", "unix:{self.socket}"]\n  acme_webroot = "{self.root}"\n'
                                "[limits]\n  miss_burst = 3\n  misses_per_second = 0.001\n")
        self.service.__enter__()
        self.addCleanup(self.service.__exit__)

    def challenges(self):
        """What certbot makes (umask 022) when it is not there yet."""
        folder = self.root / ".well-known" / "acme-challenge"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def write(self, token=TOKEN, text=PROOF):
        path = self.challenges() / token
        path.write_text(text)
        path.chmod(0o644)
        return path

    def test_a_challenge_comes_and_goes(self):
        self.assertEqual(self.service.get(PATH + TOKEN)[0], 404, "there is no folder yet")
        file = self.write()
        status, headers, body = self.service.get(PATH + TOKEN, user_agent="Mozilla/5.0 (compatible; Let's Encrypt validation server)")
        self.assertEqual((status, body), (200, PROOF.encode()))
        self.assertEqual(headers["Content-Type"], "application/octet-stream")
        self.assertEqual(headers["Cache-Control"], "no-store")
        status, headers, body = self.service.request("HEAD", PATH + TOKEN)
        self.assertEqual((status, int(headers["Content-Length"]), body), (200, len(PROOF), b""))
        file.write_text("another")
        self.assertEqual(self.service.get(PATH + TOKEN)[2], b"another")
        file.unlink()
        self.assertEqual(self.service.get(PATH + TOKEN)[0], 404)
        shutil.rmtree(self.root / ".well-known")
        self.write()
        self.assertEqual(self.service.get(PATH + TOKEN)[2], PROOF.encode(), "certbot removes the folders, too")

    def test_it_is_served_on_every_address(self):
        self.write()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(self.socket)
            client.sendall(f"GET {PATH}{TOKEN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while data := client.recv(65536):
                answer += data
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertTrue(answer.endswith(PROOF.encode()), answer)

    def test_nothing_else_is_served(self):
        folder = self.challenges()
        self.write()
        (folder / "file.txt").write_text("secret")
        (folder / "sub").mkdir()
        (folder / "sub" / TOKEN).write_text("secret")
        (folder / "link").symlink_to(self.root.parent / "outside")
        os.mkfifo(folder / "fifo")
        (folder / "large").write_text("secret" * 1000)
        for path in ("/index.html", "/.well-known/index.html", PATH, PATH + ".", PATH + "..", PATH + "../../index.html",
                     PATH + "..%2f..%2findex.html", PATH + "%2e%2e%2f%2e%2e%2findex.html", PATH + "file.txt", PATH + "sub",
                     PATH + "sub/" + TOKEN, PATH + "link", PATH + "fifo", PATH + "large", PATH + TOKEN + "%00", PATH + TOKEN + ".sh",
                     "/.well-known/acme-challenge", "/x" + PATH + TOKEN, PATH + "a" * 200):
            for method in ("GET", "HEAD"):
                status, _, body = self.service.request(method, path)
                self.assertEqual(status, 404, path)
                self.assertNotIn(b"secret", body)
        self.assertEqual(self.service.request("POST", PATH + TOKEN, body=b"x")[0], 405)

    def test_a_folder_that_leads_out_is_closed_by_the_sandbox(self):
        if b"landlock: in force" not in self.service.log:
            self.skipTest("there is no Landlock here")
        if os.environ.get("PAIRPORT_SANITIZE"):
            self.skipTest("a sanitizer's run-time has to read files")
        (self.root.parent / "elsewhere").mkdir()
        (self.root.parent / "elsewhere" / TOKEN).write_text("secret")
        (self.root / ".well-known").mkdir()
        (self.root / ".well-known" / "acme-challenge").symlink_to(self.root.parent / "elsewhere")
        status, _, body = self.service.get(PATH + TOKEN)
        self.assertEqual(status, 503)
        self.assertNotIn(b"secret", body)

    def test_tokens_that_are_not_there_are_no_guesses(self):
        for _ in range(10):
            self.assertEqual(self.service.get(PATH + TOKEN)[0], 404)
        self.assertEqual([self.service.get("/1234567")[0] for _ in range(5)], [404, 404, 404, 429, 429])
        self.write()
        self.assertEqual(self.service.get(PATH + TOKEN)[0], 200, "nor does a limit apply to them")

    def test_certbot(self):
        if subprocess.run([DEBIAN_PYTHON, "-c", "import certbot"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("python3-certbot is not installed")
        with tempfile.TemporaryDirectory() as home, subprocess.Popen(
                [DEBIAN_PYTHON, "-c", CERTBOT, str(self.root), TOKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=home) as certbot:
            proof = certbot.stdout.readline().strip()
            self.assertTrue(proof.startswith(TOKEN + "."), proof)
            for path, mode in ((PATH, 0o755), (PATH + TOKEN, 0o644)):
                self.assertEqual((self.root / path[1:]).stat().st_mode & 0o777, mode, "whoever runs the service can read it")
            self.assertEqual(self.service.get(PATH + TOKEN)[2], proof.encode())
            certbot.communicate("\n")
        self.assertEqual(certbot.returncode, 0)
        self.assertEqual(self.service.get(PATH + TOKEN)[0], 404)


if __name__ == "__main__":
    runner.run()
