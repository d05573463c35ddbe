"""Sharing: a folder and its server, shared by the processes that use it."""

import fcntl
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import quote

from db.core.embedded.backups import SETTINGS as ARCHIVING, Backups
from db.core.embedded.failure import EmbeddedFailed
from db.core.embedded.files import sync_folder
from db.core.embedded.os_account import hand_over, make_reachable
from db.core.embedded.programs import BINARIES, run
from db.core.embedded.server import Server

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "track_io_timing": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # no errors of statements: those quote values
    # Otherwise recovery syncs file by file, and partitions have thousands.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}

# The same collation on every machine, independent of its C library.
INITDB = (
    *("--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C"),
    *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
)

CREATE_DATABASE = r"""
select 'create database dreamnet'
where not exists (select from pg_database where datname = 'dreamnet') \gexec
"""


class Embedded:
    """A PostgreSQL server with its data in `folder`. `settings` add to `SETTINGS`; they apply if
    this process starts the server, as do those of `backups`."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        backups: Backups | None = None,
    ) -> None:
        self.folder = folder.expanduser().resolve()
        self.backups = backups
        archiving, variables = (ARCHIVING, backups.variables) if backups else ({}, {})
        self.server = Server(self.folder, {**SETTINGS, **archiving, **(settings or {})}, variables)
        self._use: IO[str] | None = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Start the server if it is not running; return its URL. Raises EmbeddedFailed."""
        with self.usable():
            self._prepare()
            with self._start_lock():
                self._acquire()
        return f"postgresql://postgres@/dreamnet?host={quote(self.server.sockets)}&port=5432"

    def restart(self) -> None:
        """Restart a server that died, on its existing data. Raises EmbeddedFailed."""
        with self.usable(), self._start_lock():
            self.check_data()
            self._acquire()

    def check_data(self) -> None:
        """Raises EmbeddedFailed if the data is missing: a new database in its place would look as
        if all rows were lost."""
        if not (self.server.data / "PG_VERSION").exists():
            raise EmbeddedFailed(
                f"The data of the embedded database in {self.folder} is missing. Restore it, or "
                "start again with an empty database."
            )

    def stop(self) -> None:
        """Stop the server unless another process uses it. A server without its folder stops by
        itself."""
        if self._use is None:
            return
        try:
            with self._start_lock():
                self._release()
        except FileNotFoundError:
            self._release_share()

    @contextmanager
    def alone(self, otherwise: str) -> Iterator[None]:
        """Keep other processes from the server within the context. Raises EmbeddedFailed with the
        message `otherwise` if one uses it."""
        with self.usable():
            self._prepare()
            with self._start_lock():
                try:
                    users = _locked(self.folder / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise EmbeddedFailed(otherwise) from None
                with users:
                    yield

    def replace_data(self, restored: Path, now: str) -> Path | None:
        """Put other data, of a server that is stopped, in place of the present. Return where that
        is now, if there was any: its name contains the time."""
        restored.rename(self._restored)
        before = None
        if self.server.data.exists():
            before = self.folder / f"data.before-{now}"
            self.server.data.rename(before)
        self._restored.rename(self.server.data)
        sync_folder(self.folder)
        return before

    @property
    def _restored(self) -> Path:
        return self.folder / "data.restored"

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Raises EmbeddedFailed instead of OSError."""
        try:
            yield
        except OSError as error:
            raise EmbeddedFailed(
                f"The folder {self.folder} is not usable: {error.strerror or error}. Set "
                "DREAMNET_DATA_DIR to a writable folder, or DATABASE_URL to a server."
            ) from error

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        hand_over(self.folder)
        make_reachable(BINARIES / "postgres")
        if self.backups is not None:
            self.backups.prepare()

    def _acquire(self) -> None:
        self._use = self._use or _locked(self.folder / "users.lock", fcntl.LOCK_SH)
        try:
            self._initialise()
            self.server.run()
            self.server.query(CREATE_DATABASE)
        except BaseException:
            self._release()
            raise

    def _initialise(self) -> None:
        """Create the data folder under another name first: an incomplete one would never start."""
        if not self.server.data.exists() and self._restored.exists():
            self._restored.rename(self.server.data)  # a restore was killed in between
        unfinished = self.folder / "data.new"
        if not self.server.data.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            run("initdb", "--pgdata", str(unfinished), *INITDB)
            unfinished.rename(self.server.data)

    def _release(self) -> None:
        self._release_share()
        with suppress(BlockingIOError), self._alone():
            self.server.stop()

    def _release_share(self) -> None:
        if self._use is not None:
            self._use.close()
            self._use = None

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        with _locked(self.folder / "door.lock", fcntl.LOCK_EX):
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Raises BlockingIOError while another process uses the server."""
        with _locked(self.folder / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield


def _locked(path: Path, how: int) -> IO[str]:
    file = path.open("a")
    try:
        fcntl.flock(file, how)
    except OSError:
        file.close()
        raise
    return file
