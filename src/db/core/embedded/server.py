"""Server: one PostgreSQL process and its children, found by its `postmaster.pid`."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from db.core.embedded.failure import EmbeddedFailed
from db.core.embedded.os_account import hand_over, identity
from db.core.embedded.programs import BINARIES, environment, run

START_SECONDS = 60  # recovery after a crash during a large import takes long
LINGER_SECONDS = 15  # children of a killed server may hold its shared memory for so long
AGAIN_SECONDS = 0.2  # between two attempts to start
STOP_SECONDS = 30
TICK_SECONDS = 0.02
FULL_BYTES = 32 * 1024 * 1024  # two files of its write-ahead log
LONGEST_SOCKET = 107 - len("/.s.PGSQL.5432")  # bytes: the system's limit, less the file's name


class Server:
    """The server of the folder's `data`, started by any process."""

    def __init__(
        self, folder: Path, settings: Mapping[str, str], variables: Mapping[str, str] | None = None
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.settings = settings
        self.variables = variables or {}

    @property
    def pid(self) -> int | None:
        pid = self._recorded_pid()
        return pid if pid and self._is_alive(pid) else None

    @property
    def sockets(self) -> str:
        return self._recorded(4)

    def run(self) -> None:
        """Start the server if it is not running, and wait until it accepts connections.

        Raises EmbeddedFailed if it does not answer in time, or keeps dying.
        """
        began, child = time.monotonic(), 0
        lingering = LINGER_SECONDS if self._recorded_pid() else 0
        while not self._answers():
            waited = time.monotonic() - began
            alive = self.pid or (child and self._is_alive(child))
            if waited > (START_SECONDS if alive or not child else lingering):
                raise EmbeddedFailed(f"The embedded database did not start. {self.log_tail()}")
            if not alive:
                time.sleep(AGAIN_SECONDS if child else 0)
                child = self._launch()
            time.sleep(TICK_SECONDS)

    def query(self, text: str, database: str = "postgres") -> str:
        options = "-qXAt", "-vON_ERROR_STOP=1"
        return run("psql", *options, *self._address(database), text=text)

    def stop(self) -> None:
        """Fast shutdown, or immediate shutdown if that hangs, which loses no data but needs
        recovery. Raises EmbeddedFailed if the process is still running after both."""
        sockets = self.sockets
        if not (self._stops_at(signal.SIGINT) or self._stops_at(signal.SIGQUIT)):
            raise EmbeddedFailed(f"The embedded database does not stop: process {self.pid}.")
        if sockets and sockets != str(self.folder):
            shutil.rmtree(sockets, ignore_errors=True)

    def log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-10:]
        free = shutil.disk_usage(self.folder).free
        full = [f"{self.folder} is on a full disk: {free} bytes are free."]
        return "\n".join([*(full if free < FULL_BYTES else []), f"The end of {self.log}:", *lines])

    def _launch(self) -> int:
        """Start the process in a session of its own, without the terminal's Ctrl-C; return its
        id."""
        settings = {**self.settings, "unix_socket_directories": self._place_for_sockets()}
        # The recorded id of a dead server may now belong to a zombie or another process. With this
        # variable PostgreSQL ignores it, and still checks that the old shared memory is free.
        stale = {"PG_GRANDPARENT_PID": str(self._recorded_pid())}
        with self.log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603  our own program and arguments
                [BINARIES / "postgres", "-D", self.data, *_options(settings)],
                env=environment(**stale, **self.variables),
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity(),
            )
        child.returncode = 0  # it may outlive this object; `_is_alive` waits for it by its id
        return child.pid

    def _place_for_sockets(self) -> str:
        """The folder itself, or a temporary one if its path is too long for a socket. That of a
        server that died is reused, because clients have its address."""
        if len(os.fsencode(self.folder)) <= LONGEST_SOCKET:
            return str(self.folder)
        if (former := self.sockets) and Path(former).is_dir():
            return former
        short = Path(tempfile.mkdtemp(prefix="dreamnet-"))
        hand_over(short)
        return str(short)

    def _answers(self) -> bool:
        with suppress(EmbeddedFailed):
            return bool(self.sockets) and bool(run("pg_isready", *self._address()))
        return False

    def _address(self, database: str = "postgres") -> tuple[str, ...]:
        return ("--host", self.sockets, "--username", "postgres", "--dbname", database)

    def _stops_at(self, how: signal.Signals) -> bool:
        deadline = time.monotonic() + STOP_SECONDS
        pid = self.pid
        if pid:
            os.kill(pid, how)
        while pid and self._is_alive(pid) and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS)
        return self.pid is None

    def _is_alive(self, pid: int) -> bool:
        """True if the process is running, is not a zombie (which has no command line), and is not
        another process with a reused id."""
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        if not Path("/proc").exists():
            return _exists(pid)
        with suppress(OSError):
            return os.fsencode(self.data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return False

    def _recorded_pid(self) -> int:
        pid = self._recorded(0)
        return int(pid) if pid.isdecimal() else 0

    def _recorded(self, line: int) -> str:
        with suppress(OSError, IndexError):
            return (self.data / "postmaster.pid").read_text().splitlines()[line].strip()
        return ""


def _options(settings: Mapping[str, str]) -> list[str]:
    return [f"-c{name}={value}" for name, value in settings.items()]


def _exists(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
