# SPDX-License-Identifier: MIT
"""A machine that is suspended while codes live: they end at their time, however short the machine was awake meanwhile."""

import json
import os
import struct
import tempfile
import time
import unittest
from unittest import mock

import runner
from pairport_process import Pairport

GOOD = {"connect_url": "http://rport.example.com:8080", "fingerprint": "2a:c4:79:04:80:ba:7c:60:05:e5:2c:49:6d:74:56:24",
        "client_id": "client1", "password": "swordfish-in-a-suspended-machine"}


class Suspend(unittest.TestCase):
    def setUp(self):
        file = tempfile.NamedTemporaryFile()
        self.addCleanup(file.close)
        self.file = file
        self.suspend(0)
        preload = " ".join(filter(None, [os.environ.get("PAIRPORT_NGINX_PRELOAD") or os.environ.get("LD_PRELOAD"),
                                         os.environ["PAIRPORT_BOOT_TIME_PRELOAD"]]))
        variables = {"PAIRPORT_BOOT_TIME_AHEAD": file.name, "LD_PRELOAD": preload}
        if "PAIRPORT_NGINX_PRELOAD" in os.environ:
            variables["PAIRPORT_NGINX_PRELOAD"] = preload
        patch = mock.patch.dict(os.environ, variables)
        patch.start()
        self.addCleanup(patch.stop)

    def suspend(self, seconds):
        """As after so many seconds of suspend since the start."""
        self.file.seek(0)
        self.file.write(struct.pack("=q", seconds))
        self.file.flush()

    def test_a_code_does_not_outlive_its_end_by_the_time_of_a_suspend(self):
        with Pairport('[pairing]\n  ttl = "10m"\n') as service:
            code = service.deposit(**GOOD)["pairing_code"]
            self.assertEqual(service.get("/" + code)[0], 200)
            self.suspend(590)
            self.assertEqual(service.get("/" + code)[0], 200, "ten seconds are left")
            self.suspend(601)
            status, _, body = service.get("/" + code)
            self.assertEqual(status, 404)
            self.assertNotIn(GOOD["password"].encode(), body)
            self.assertEqual(service.get("/" + service.deposit(**GOOD)["pairing_code"])[0], 200, "it goes on")

    def test_what_expired_meanwhile_makes_room(self):
        with Pairport('[pairing]\n  ttl = "10m"\n  max_deposits = 2\n') as service:
            for _ in range(2):
                service.deposit(**GOOD)
            body = json.dumps(GOOD).encode()
            json_type = {"Content-Type": "application/json"}
            self.assertEqual(service.request("POST", "/", json_type, body)[0], 503)
            self.suspend(601)
            deadline = time.monotonic() + 30
            while service.request("POST", "/", json_type, body)[0] != 200:
                self.assertLess(time.monotonic(), deadline, "expired deposits are wiped soon after")
                time.sleep(0.1)


if __name__ == "__main__":
    runner.run()
