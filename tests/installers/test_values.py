# SPDX-License-Identifier: MIT
"""Whatever was deposited arrives in rport.conf byte for byte, in every shell, and is never executed or shown.

Each value goes the whole way: deposit over HTTP, served script, shell, its own functions that write rport.conf, and a real
TOML parser. To be quick, one shell handles many served scripts: it runs the `credentials` and `configure` of each.
"""

import os
import pathlib
import re
import threading
import tomllib
import unittest

import support
from support import IsolatedRoot

PAIRS = 2000 if support.LONG else 500
MARK = "S3cr3tM4rk"

DRIVER = r"""
set_up
sources
options
RUN_AS=root EXISTING='' OLD_ID='' LOG=/var/log/rport/rport.log ATTRS=/x.json QUIET=yes
# Everything of `configure` is real but these, which no value passes through: each would cost some processes a value.
network_cards() { :; }
interpreters() { :; }
group_of() { echo root; }
put() { :; }
have() { return 1; }
trap - EXIT
i=0
while [ "$i" -lt "$COUNT" ]; do
  . "/tmp/work/$i/in.sh"
  credentials
  EDITS='' CONF=/none TMP=/tmp/work/$i
  configure
  i=$((i + 1))
done
"""


class Sampler(threading.Thread):
    """Looks at the command lines of all processes, again and again, for the mark that is in every value."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self.found = []
        self.looks = 0

    def run(self):
        while not self.stop.wait(0.1):
            self.looks += 1
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    try:
                        line = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
                    except OSError:
                        continue
                    if MARK.encode() in line:
                        self.found.append(line)


class Values(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        support.require_isolation()
        singles = [chr(c) for c in range(0x20, 0x7F)]
        nasty = support.generated_values(2 * PAIRS, seed=1)
        # The first two kinds hold nothing but the value itself; the rest also holds the mark that the sampler looks for.
        cls.pairs = [(c.replace(":", "x"), c) for c in singles] + [(f"{c}x{c}".replace(":", "."), f"{c}:{c}") for c in singles]
        cls.pairs += [(f"{a}{MARK}{a}".replace(":", ";")[:250], f"{b}{MARK}{b}") for a, b in zip(nasty[:PAIRS], nasty[PAIRS:])]
        paths = ["/" + re.sub(r"[\s#?\x00-\x20\x7f]", "", v) for v in nasty]
        cls.urls = [f"http://127.0.0.1:1{paths[i] if i % 3 == 0 else '/x'}" for i in range(len(cls.pairs))]
        cls.pieces, cls.sent = [], []
        with support.Pairport(support.configuration("http://127.0.0.1:1")) as service:
            cls.base = service.get("/" + service.deposit(connect_url="a:1", fingerprint=support.FINGERPRINT, client_id="a",
                                                         password="b")["pairing_code"])[2]
            for (client_id, password), url in zip(cls.pairs, cls.urls):
                try:
                    code = service.deposit(connect_url=url, fingerprint=support.FINGERPRINT.upper(), client_id=client_id,
                                           password=password)["pairing_code"]
                except RuntimeError:  # not every path is a URL for the service; the two other values are what counts
                    url = "http://127.0.0.1:1"
                    code = service.deposit(connect_url=url, fingerprint=support.FINGERPRINT, client_id=client_id,
                                           password=password)["pairing_code"]
                body = service.get("/" + code)[2]
                start = body.index(b"credentials() {")
                cls.pieces.append(body[start:body.index(b"sources() {")])
                cls.sent.append((url, f"{client_id}:{password}"))

    def check(self, kind, shell, locale="", count=None):
        """`locale`: charmap of the user's locale, with an awk that minds it."""
        with IsolatedRoot(kind) as root:
            pieces, env = self.pieces[-count:] if count else self.pieces, {}
            if locale:
                for need in ("/usr/bin/gawk", "/usr/share/i18n/charmaps/" + locale + ".gz"):
                    if not root.exists(need):
                        self.skipTest(f"SKIPPED: no {need} (Debian packages gawk, locales)")
                language = {"SHIFT_JIS": "ja_JP", "BIG5": "zh_TW"}.get(locale, "zh_CN")
                root.path("/usr/lib/locale").mkdir(exist_ok=True)
                root.call(["localedef", "-c", "-i", language, "-f", locale, language + "." + locale])
                self.assertIn(language.encode(), root.call(["locale", "-a"]).stdout)
                root.path("/usr/local/sbin/awk").unlink(missing_ok=True)
                root.path("/usr/local/sbin/awk").symlink_to("/usr/bin/gawk")
                env = {"LC_ALL": f"{language}.{locale}"}
            for i, piece in enumerate(pieces):
                root.write(f"/tmp/work/{i}/in.sh", piece)
            body, last, end = self.base.rstrip(b"\n").rsplit(b"\n", 2)
            self.assertEqual((last, end), (b'main "$@"', b"}"))
            sampler = Sampler()
            sampler.start()
            result = root.run(body + b"\n" + DRIVER.encode() + b"\n}\n", shell=shell, env={"COUNT": str(len(pieces)), **env}, timeout=900)
            sampler.stop.set()
            sampler.join()
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b"", b""))
            self.assertFalse(root.exists("/tmp/canary"))
            self.assertGreater(sampler.looks, 2 if count else 10)
            self.assertEqual(sampler.found, [])
            for i, (server, auth) in enumerate(self.sent[-len(pieces):]):
                written = tomllib.loads(root.read(f"/tmp/work/{i}/rport.conf").decode())["client"]
                self.assertEqual((written["server"], written["auth"], written["fingerprint"]), (server, auth, support.FINGERPRINT))

    def test_locales_of_east_asia(self):
        """Bytes of UTF-8 are other characters there, whose second byte may be a quote or a backslash for awk."""
        for number, locale in enumerate(("SHIFT_JIS", "GBK", "GB18030", "BIG5")):
            with self.subTest(locale=locale):
                self.check("host", ("bash", "dash", "zsh", "mksh")[number], locale, count=120)

    def test_dash(self):
        self.check("host", "dash")

    def test_bash(self):
        self.check("host", "bash")

    def test_busybox_ash(self):
        self.check("busybox", "ash")

    def test_mksh(self):
        self.check("host", "mksh")

    @unittest.skipUnless("yash" in support.SHELLS, "SKIPPED: no yash on this machine")
    def test_yash(self):
        self.check("host", "yash")

    def test_zsh(self):
        self.check("host", "zsh")


if __name__ == "__main__":
    support.main(processes=2)
