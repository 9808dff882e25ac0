# SPDX-License-Identifier: MIT
"""What every test written in Python begins with: ROOT, the folder of the source, and run()."""

import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run():
    """Runs the unittest module that calls it. Exit code 77, which ctest shows as skipped, when no test could run."""
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    if len(result.skipped) == result.testsRun:
        sys.exit(77)
