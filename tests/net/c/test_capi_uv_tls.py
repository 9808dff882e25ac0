# SPDX-License-Identifier: MIT
"""A C program serves HTTPS: tests/net/c/capi_uv_test.c with a certificate."""

import contextlib
import http.client
import os
import pathlib
import re
import ssl
import subprocess
import tempfile
import unittest

import runner
from certificates import make_certificate
from https_service import thread_policies

ROOT = runner.ROOT
PROGRAM = pathlib.Path(os.environ.get("PAIRPORT_BUILD", ROOT / "build" / "release")) / "bin" / "capi_uv_test"


class CapiUvTls(unittest.TestCase):
    def test_an_answer_over_tls(self):
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = make_certificate(folder)
            with subprocess.Popen([PROGRAM, certificate, key], stdout=subprocess.PIPE, text=True) as process:
                try:
                    port = re.search(r":(\d+)$", process.stdout.readline().strip()).group(1)
                    context = ssl.create_default_context(cafile=certificate)
                    client = http.client.HTTPSConnection("localhost", int(port), timeout=60, context=context)
                    with contextlib.closing(client):
                        client.connect()
                        self.assertIn(os.SCHED_BATCH, thread_policies(process.pid).values())
                        client.request("GET", "/update")
                        answer = client.getresponse()
                        self.assertEqual(answer.status, 200)
                        self.assertTrue(answer.read().startswith(b"#!/bin/sh\n"))
                    self.assertEqual(process.wait(60), 0)
                finally:
                    process.kill()


if __name__ == "__main__":
    runner.run()
