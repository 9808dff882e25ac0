# SPDX-License-Identifier: MIT
"""The value block: what was deposited is what PowerShell holds, byte for byte, and nothing of it is executed."""

import base64
import json
import os
import pathlib
import random
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import pssupport as support  # noqa: E402

DEPOSITS = 1000  # two nasty values each, besides a URL with a nasty path
SEED = 20240101
PIECES = [
    "'", "''", '"', '""', "`", "``", "$", "$(", ")", "${", "}", "@(", "@{", "@'", "'@", '@"', '"@', ";", "&", "|", "||", "&&",
    "<", ">", "<#", "#>", "#", "%", "%PATH%", "^", "!", "\\", "/", "//", "--%", "-", "--", "=", "?", "*", "[", "]", "[0]", "~", ",",
    " ", "  ", "\u00a0", "\u2000", "\u3000", "\u2028", "\u2029", "\u0085", "\ufeff", "\u200b", "\u200d", "\u202e",
    "\u2018", "\u2019", "\u201a", "\u201b", "\u201c", "\u201d", "\u201e", "\u2013", "\u2014", "\u2015", "\u00b4", "\u02bc", "\uff07",
    "\U0001f600", "\U0001f1e9\U0001f1ea", "e\u0301", "\u00e4\u00f6\u00fc\u00df", "\u4e2d\u6587", "\u05d0", "\ud7ff", "\ue000", "\ufffd", "\uffff",
    "\U0010ffff", "a", "Z", "0", "9", "exit", "{{password}}", "{version}", "\\u0041", "\\n", "`n", "$env:TEMP", "$Password", "$null",
    "$true", "'+'", "' + '", "\u2019;exit 9;\u2018", "');exit 9;('", "$(exit 9)", "1e3", "0x10", "ZXhpdA==", "\\",
]
CANARIES = [
    "$(Set-Content canary 1)", "'; [IO.File]::WriteAllText('canary', '1'); '", "\u2019; [IO.File]::WriteAllText('canary', '1'); \u2018",
    "'))); [IO.File]::WriteAllText('canary', '1'); (('", "\"; [IO.File]::WriteAllText('canary', '1'); \"", "`'; [IO.File]::WriteAllText('canary','1') #",
    "'\u2018; [IO.File]::WriteAllText('canary', '1') #", "\u201b'; [IO.File]::WriteAllText('canary', '1') #",
]


def nasty(generator, limit):
    value = ""
    for _ in range(generator.randint(1, 24)):
        value += generator.choice(PIECES if generator.random() < 0.9 else CANARIES)
    while len(value.encode()) > limit:
        value = value[:-1]
    return value or "'"


class ValueBlock(unittest.TestCase):
    def test_two_thousand_nasty_values_arrive_byte_for_byte(self):
        support.host()
        generator = random.Random(SEED)
        expected = []
        with tempfile.TemporaryDirectory() as folder, support.pairport() as service:
            for index in range(DEPOSITS):
                fields = {
                    "connect_url": "https://example.com/" + generator.choice(["", "a'b", "$(x)", "`x`", "a&b;c|d", "%27", "''"]),
                    "fingerprint": ":".join(f"{generator.randrange(256):02x}" for _ in range(16)),
                    "client_id": nasty(generator, 256).replace(":", ""),
                    "password": nasty(generator, 1024),
                }
                if index < len(CANARIES):
                    fields["client_id"] = CANARIES[index].replace(":", "")
                    fields["password"] = CANARIES[index]
                body = support.deposit_and_fetch(service, **fields)
                self.assertTrue(body.isascii())
                (pathlib.Path(folder) / f"{index:05}.ps1").write_bytes(body)
                expected.append(fields)
            result = support.pshost("values", folder, cwd=folder)
            self.assertEqual(0, result.returncode, result.stderr[:2000])
            lines = [json.loads(line) for line in result.stdout.splitlines()]
            self.assertEqual(DEPOSITS, len(lines))
            self.assertEqual({0}, {line["errors"] for line in lines})
            # Not one statement more or less than with harmless values.
            self.assertEqual(1, len({line["statements"] for line in lines}))
            for fields, line in zip(expected, lines):
                for field, variable in (("connect_url", "ConnectUrl"), ("fingerprint", "Fingerprint"),
                                        ("client_id", "ClientId"), ("password", "Password")):
                    self.assertEqual(fields[field].encode(), base64.b64decode(line[variable]), line["file"])
            self.assertFalse((pathlib.Path(folder) / "canary").exists())

    def test_every_character_up_to_ffff_in_blocks(self):
        """All of the basic plane, so that no character that is special to the engine can have been forgotten."""
        support.host()
        points = [c for c in range(0x20, 0x10000) if not 0xd800 <= c < 0xe000 and c != 0x7f]
        blocks = ["".join(map(chr, points[i:i + 256])) for i in range(0, len(points), 256)]
        with tempfile.TemporaryDirectory() as folder, support.pairport() as service:
            for index, block in enumerate(blocks):
                (pathlib.Path(folder) / f"{index:05}.ps1").write_bytes(support.deposit_and_fetch(service, password=block))
            lines = support.pshost("values", folder).stdout.splitlines()
        self.assertEqual(len(blocks), len(lines))
        for block, line in zip(blocks, lines):
            self.assertEqual(block.encode(), base64.b64decode(json.loads(line)["Password"]))


if __name__ == "__main__":
    support.main()
