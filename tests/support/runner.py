# SPDX-License-Identifier: MIT
"""Runs the unittest module that calls it. Exit code 77, which ctest shows as skipped, when no test could run."""

import sys
import unittest


def run():
    result = unittest.main(module="__main__", exit=False, verbosity=2).result
    if not result.wasSuccessful() or result.testsRun == 0:
        sys.exit(1)
    if len(result.skipped) == result.testsRun:
        sys.exit(77)
