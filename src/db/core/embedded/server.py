"""Server: one PostgreSQL process and its children, found by what it writes into its data folder."""

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

START_SECONDS = 60  # recovery after a crash in the middle of a large import takes a while
LINGER_SECONDS = 15  # how long the children of a killed server may hold on to its memory
AGAIN_SECONDS = 0.2  # between two attempts meanwhile
STOP_SECONDS = 30
TICK_SECONDS = 0.02
FULL_BYTES = 32 * 1024 * 1024  # two files of its write-ahead log
LONGEST_SOCKET = 107 - len("/.s.PGSQL.5432")  # bytes: the system's limit, less the file's name


class Server:
    """The server of the folder's `data`, whoever started it."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.settings = settings

    @property
    def pid(self) -> int | None:
        """The number of its process, while it is alive."""
        pid = self._recorded_pid()
        return pid if pid and self._is_alive(pid) else None

    @property
    def sockets(self) -> str:
        """The folder of its socket, or nothing when it never ran."""
        return self._recorded(4)

    def run(self) -> None:
        """Returns once it accepts connections; launches it whenever it is not alive.

        Raises EmbeddedFailed when it does not answer in time, or keeps dying.
        """
        began, child = time.monotonic(), 0
        lingering = LINGER_SECONDS if self._recorded_pid() else 0
        while not self._answers():
            waited = time.monotonic() - began
            alive = self.pid or (child and self._is_alive(child))
            if waited > (START_SECONDS if alive or not child else lingering):
                raise EmbeddedFailed(f"The embedded database did not start. {self.last_words()}")
            if not alive:
                time.sleep(AGAIN_SECONDS if child else 0)
                child = self._launch()
            time.sleep(TICK_SECONDS)

    def query(self, text: str) -> str:
        """The output of SQL, run as the superuser outside any transaction."""
        return run("psql", "-qXAt", "-vON_ERROR_STOP=1", *self._address(), text=text)

    def stop(self) -> None:
        """The fast shutdown; the immediate one if that hangs, which costs a recovery but no data.

        Raises EmbeddedFailed when the process is still there after both.
        """
        sockets = self.sockets
        if not (self._stops_at(signal.SIGINT) or self._stops_at(signal.SIGQUIT)):
            raise EmbeddedFailed(f"The embedded database does not stop: process {self.pid}.")
        if sockets and sockets != str(self.folder):
            shutil.rmtree(sockets, ignore_errors=True)

    def last_words(self) -> str:
        """The end of its log, and whether there is space for it."""
        lines = self.log.read_text(errors="replace").splitlines()[-10:]
        free = shutil.disk_usage(self.folder).free
        full = [f"{self.folder} is on a full disk: {free} bytes are free."]
        return "\n".join([*(full if free < FULL_BYTES else []), f"The end of {self.log}:", *lines])

    def _launch(self) -> int:
        """A child of ours, out of reach of the terminal's Ctrl-C; returns its process number."""
        settings = {**self.settings, "unix_socket_directories": self._place_for_sockets()}
        # A number recorded by a dead server may live on as a zombie's or a stranger's. Under this
        # name PostgreSQL takes it for stale, and still checks that nobody holds the old memory.
        stale = {"PG_GRANDPARENT_PID": str(self._recorded_pid())}
        with self.log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603  our own program and arguments
                [BINARIES / "postgres", "-D", self.data, *_options(settings)],
                env=environment(**stale),
                cwd=self.data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity(),
            )
        child.returncode = 0  # it may outlive this object; `_is_alive` buries it by its number
        return child.pid

    def _place_for_sockets(self) -> str:
        """The folder itself, or a temporary one when its path is too long for a socket; that of a
        server that died is kept, since clients know its address."""
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

    def _address(self) -> tuple[str, ...]:
        return ("--host", self.sockets, "--username", "postgres", "--dbname", "postgres")

    def _stops_at(self, how: signal.Signals) -> bool:
        deadline = time.monotonic() + STOP_SECONDS
        pid = self.pid
        if pid:
            os.kill(pid, how)
        while pid and self._is_alive(pid) and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS)
        return self.pid is None

    def _is_alive(self, pid: int) -> bool:
        """Not gone, not dead but unburied (a zombie has no command line), and not a stranger to
        whom the system gave the number anew."""
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
        """One line of what the server writes about itself, or nothing."""
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
