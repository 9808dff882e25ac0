# SPDX-License-Identifier: MIT
"""What sslscan and testssl.sh find at a server with certificates of both kinds."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

import runner
from certificates import make_authority, make_chain
from https_service import HttpsService

SUITES = {f"ECDHE-{kind}-{cipher}" for kind in ("ECDSA", "RSA")
          for cipher in ("CHACHA20-POLY1305", "AES128-GCM-SHA256", "AES256-GCM-SHA384")}
SUITES_OF_TLS13 = {"TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"}
GROUPS = {"x25519", "secp256r1 (NIST P-256)", "secp384r1 (NIST P-384)"}

# What testssl.sh may rate worse than "OK" or "INFO", and why that is no fault of the server's.
EXPECTED = {
    # The certificates of this test come from nobody whom one could ask.
    "cert_revocation",
    # Scripts are compressed, but what is secret in them never is: it goes out in stored blocks (render/scripts/gzip.h), so that
    # its length tells nothing, and no request chooses any of a script's text.
    "BREACH",
    # An openssl of today cannot offer RC4. sslscan, which needs none for it, has looked at every suite.
    "RC4",
    # What an openssl of today has no support for, says testssl.sh 3.2.
    "engine_problem",
    # In TLS 1.3 a ticket comes behind the handshake, when the openssl of testssl.sh has left. test_tls.py resumes.
    "sessionresumption_ticket",
}


class Scan(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.folder = folder
        cls.root = make_authority(folder)
        cls.service = cls.enterClassContext(HttpsService(
            [make_chain(folder, "ec"), make_chain(folder, "rsa", rsa=True)], server='  hsts = "365d"',
            rest="[limits]\n  max_connections_per_address = 0\n  misses_per_second = 0\n"))

    def test_sslscan(self):
        if shutil.which("sslscan") is None:
            self.skipTest("sslscan is not installed")
        path = os.path.join(self.folder, "scan.xml")
        subprocess.run(["sslscan", "--sni-name=localhost", "--xml=" + path, f"127.0.0.1:{self.service.tls_port}"],
                       check=True, capture_output=True, timeout=300)
        scan = xml.etree.ElementTree.parse(path).find("ssltest")
        enabled = {f"{found.get('type')}{found.get('version')}" for found in scan.iter("protocol") if found.get("enabled") == "1"}
        self.assertIn("tls1.2", enabled)
        self.assertLessEqual(enabled, {"tls1.2", "tls1.3"})
        suites = {found.get("cipher") for found in scan.iter("cipher") if found.get("sslversion") == "TLSv1.2"}
        self.assertEqual(suites, SUITES)
        suites = {found.get("cipher") for found in scan.iter("cipher") if found.get("sslversion") == "TLSv1.3"}
        self.assertEqual(suites, SUITES_OF_TLS13 if "tls1.3" in enabled else set())
        self.assertEqual({found.get("strength") for found in scan.iter("cipher")}, {"strong"})
        self.assertEqual({found.get("name") for found in scan.iter("group")}, GROUPS)
        self.assertEqual([found.get("supported") for found in scan.iter("renegotiation")], ["0"])
        heartbleed = [found.get("vulnerable") for found in scan.iter("heartbleed")]
        self.assertTrue(heartbleed)
        self.assertEqual(set(heartbleed), {"0"})

    def test_testssl(self):
        if shutil.which("testssl") is None:
            self.skipTest("testssl.sh is not installed")
        path = os.path.join(self.folder, "testssl.json")
        # Without what asks others (DNS, revocation). Its exit code counts what it found; what it found says more.
        result = subprocess.run(
            ["testssl", "--quiet", "--color", "0", "--warnings", "off", "--nodns", "min", "--ip", "127.0.0.1", "--add-ca", self.root,
             "--protocols", "--server-defaults", "--server-preference", "--headers", "--vulnerable", "--fs", "--std", "--fast",
             "--jsonfile", path, f"https://localhost:{self.service.tls_port}/update"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=600, check=False)
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        severities = {entry["id"]: entry["severity"] for entry in found}
        for wanted in ("TLS1_2", "heartbleed", "CCS", "ticketbleed", "ROBOT", "secure_renego", "secure_client_renego", "CRIME_TLS",
                       "POODLE_SSL", "SWEET32", "FREAK", "DROWN", "LOGJAM", "BEAST", "LUCKY13", "RC4", "cipherlist_NULL",
                       "cipherlist_3DES_IDEA"):
            self.assertIn(wanted, severities, result.stdout.decode(errors="replace")[-2000:])
        # CBC: testssl.sh 3.0 (Debian 12) and 3.2 have different names for it.
        self.assertTrue({"cipherlist_AVERAGE", "cipherlist_OBSOLETED"} & severities.keys())
        bad = [f"{entry['id']}: {entry['severity']}: {entry['finding']}" for entry in found
               if entry["severity"] not in ("OK", "INFO")
               and re.sub(r" <.*>$", "", entry["id"]) not in EXPECTED]
        self.assertEqual(bad, [])


if __name__ == "__main__":
    runner.run()
