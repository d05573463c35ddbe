"""Standby: a PostgreSQL with a streaming standby, both real."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from db.core.embedded import Embedded
from db.core.embedded.os_account import hand_over
from db.core.embedded.programs import run
from db.core.embedded.server import Server
from db.core.embedded.sharing import SETTINGS
from support.wait import until

MORE = {"fsync": "off", "wal_retrieve_retry_interval": "100ms"}


class Standby:
    """A standby whose replay a test pauses, delays and kills."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder, {**SETTINGS, **MORE})

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/dreamnet?host={quote(self.server.sockets)}&port=5432"

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.server.query("select pg_wal_replay_pause()")
        yield
        self.server.query("select pg_wal_replay_resume()")

    def delay(self, seconds: int) -> None:
        self.server.query(f"alter system set recovery_min_apply_delay = '{seconds}s'")
        self.server.query("select pg_reload_conf()")

    def kill(self) -> None:
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)

    async def has_replayed(self, primary: Embedded) -> None:
        """Wait until all is replayed that is committed now."""
        now = primary.server.query("select pg_current_wal_flush_lsn()").strip()
        replayed = f"select pg_last_wal_replay_lsn() >= '{now}'::pg_lsn"
        await until(lambda: self.server.query(replayed).strip() == "t")


@contextmanager
def with_standby(folder: Path) -> Iterator[tuple[str, Embedded, Standby]]:
    """The URL of a primary, its server, and a standby of it."""
    primary, standby = Embedded(folder / "primary", MORE), Standby(folder / "standby")
    with primary as url:
        standby.server.folder.mkdir(mode=0o700)
        hand_over(standby.server.folder)
        source = f"host={primary.server.sockets} user=postgres"
        options = ("--write-recovery-conf", "--checkpoint", "fast", "--dbname", source)
        run("pg_basebackup", "--pgdata", str(standby.server.data), *options)
        standby.server.run()
        try:
            yield url, primary, standby
        finally:
            standby.server.stop()
            shutil.rmtree(standby.server.folder, ignore_errors=True)
