"""Listener: the socket that a server listens on."""

import errno
import socket
import sys

from gateway.exit_codes import CommandFailed, ExitCode
from gateway.process.startup_message import is_unspecified
from gateway.protocols import slow_clients

BACKLOG = 2048
UNACKNOWLEDGED_MS = 30_000  # until the kernel drops a client that acknowledges nothing


def listening(host: str, port: int, setting: str = "DREAMNET_PORT") -> socket.socket:
    """A listening socket; `::` is every address of both families. The `setting` is what chooses
    the port. Raises CommandFailed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = family == socket.AF_INET6 and is_unspecified(host) and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        raise cannot_listen(host, port, setting, error) from error
    if sys.platform == "linux":  # connections inherit these
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, slow_clients.UNSENT)
    return listener


def cannot_listen(host: str, port: int, setting: str, error: OSError) -> CommandFailed:
    reason = (
        f"another program uses it; stop that program, or set {setting}"
        if error.errno == errno.EADDRINUSE
        else error.strerror
    )
    return CommandFailed(f"Cannot listen on {host} port {port}: {reason}.", ExitCode.PORT)
