# SPDX-License-Identifier: MIT
"""Ports for servers that cannot be asked which one the kernel has chosen for them."""

import contextlib
import random
import socket


def free_ports(count):
    """They differ, and are outside of the range from which outgoing connections take theirs."""
    found = set()
    while len(found) < count:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", random.randrange(10_000, 32_000)))
            found.add(probe.getsockname()[1])
    return found
