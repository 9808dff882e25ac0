# SPDX-License-Identifier: MIT
"""The Linux scripts on a machine whose services are started by SysV."""

from system_test import Lifecycle, SystemTest


class SysV(Lifecycle, SystemTest):
    init = "sysv"


if __name__ == "__main__":
    import runner
    runner.run()
