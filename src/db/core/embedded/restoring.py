"""Restoring: the data of an earlier time in place of that of the embedded server.

The data is recovered in a folder of its own, and takes the place of the present data at the end,
which is kept under another name. A process that is killed leaves the present data, or both.
"""

import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from db.core.embedded.backups import RESTORE, SETTINGS as ARCHIVING, Backups
from db.core.embedded.failure import EmbeddedFailed
from db.core.embedded.os_account import give, hand_over
from db.core.embedded.programs import run
from db.core.embedded.server import Server
from db.core.embedded.sharing import SETTINGS, Embedded

TICK_SECONDS = 0.1
TOO_LATE = "recovery ended before configured recovery target was reached"
IN_USE = "A gateway or another command uses the embedded database: stop it first."
AFTER_THE_LAST = (
    "Nothing was committed after that time: restore to an earlier one, or to `latest`, which is "
    "all that the log holds."
)

# In the database of another time, other rows have the numbers that subscribers know.
NEW_EPOCHS = "update feeds set epoch = gen_random_uuid()"
NOW = """select to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD"T"HH24MISSUS"Z"')"""


def restore(embedded: Embedded, backups: Backups, at: datetime | None) -> Path | None:
    """Replace the data by that of a time, or by all that was archived. Return where the data of
    before is, if there was any. Raises EmbeddedFailed, and then nothing has changed."""
    with embedded.alone(IN_USE):
        chain = backups.chain(at)
        server = Server(_empty(embedded.folder / "restoring"), _settings(at), backups.variables)
        _archive_rest(embedded)
        run("pg_combinebackup", *map(str, chain), "--output", str(server.data))
        _recover(server)
        server.query(NEW_EPOCHS, "dreamnet")
        now = server.query(NOW).strip()
        server.stop()
        before = embedded.replace_data(server.data, now)
        if at is not None:
            backups.abandon_after(at)
        return before


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    hand_over(folder)
    return folder


def _settings(at: datetime | None) -> Mapping[str, str]:
    target = {} if at is None else {"recovery_target_time": f"{at.astimezone(UTC):%F %T.%f+00}"}
    recovery = {"restore_command": RESTORE, "recovery_target_action": "promote"}
    return {**SETTINGS, **ARCHIVING, **recovery, **target}


def _archive_rest(embedded: Embedded) -> None:
    """Start and stop the present server, which archives the rest of its log: its last segment, and
    more if it was killed. Without present data, what was archived has to do."""
    if (embedded.server.data / "PG_VERSION").exists():
        embedded.server.stop()  # it may run without an archive, left by a process that was killed
        embedded.server.run()
        embedded.server.query("select pg_switch_wal()")
        embedded.server.stop()


def _recover(server: Server) -> None:
    signal = server.data / "recovery.signal"
    signal.touch()
    give(signal)
    try:
        server.run()
        while server.query("select pg_is_in_recovery()").strip() == "t":
            time.sleep(TICK_SECONDS)
    except EmbeddedFailed as failed:
        if TOO_LATE in server.log_tail():
            raise EmbeddedFailed(AFTER_THE_LAST) from failed
        raise
