"""Ports of servers that tests start in processes of their own."""

import os
import socket
from contextlib import suppress
from itertools import count

# Linux gives ports from 32,768 on to connections, one of which could take a port that was free.
# Processes count from different ports, so that two of them do not choose the same.
_numbers = count(20_000 + 12 * (os.getpid() % 1_000))


def free_port() -> int:
    for port in _numbers:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError
