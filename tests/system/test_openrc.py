# SPDX-License-Identifier: MIT
"""The Linux scripts on a machine whose services are started by OpenRC."""

from system_test import Lifecycle, SystemTest


class OpenRC(Lifecycle, SystemTest):
    init = "openrc"


if __name__ == "__main__":
    import runner
    runner.run()
