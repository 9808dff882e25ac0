# SPDX-License-Identifier: MIT
"""The Linux scripts on a machine whose services are started by Systemd."""

import unittest

from system_test import Lifecycle, SystemTest


class Systemd(Lifecycle, SystemTest):
    init = "systemd"


if __name__ == "__main__":
    import runner
    runner.run()
