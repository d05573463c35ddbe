"""Backups: copies of the embedded server's data, and the log of what was written since.

The folder holds `wal`, the write-ahead log, compressed, and `copies`: each is named after the time
at which it was complete, and ends in `full`, or in `part` for what changed since the one before.
"""

import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from db.core.embedded.failure import EmbeddedFailed
from db.core.embedded.files import sync_folder
from db.core.embedded.os_account import hand_over
from db.core.embedded.programs import run
from db.core.embedded.server import Server

NAME = "%Y%m%dT%H%M%S.%fZ"
FULL, PART, ABANDONED = ".full", ".part", ".abandoned"
WAL = "DREAMNET_WAL_ARCHIVE"  # the variable of the server with the folder of the log

# A segment appears under its name once it is on disk. PostgreSQL archives one again if it did not
# learn that it was archived: then it must be the same. `sync` of a path is that of GNU coreutils.
ARCHIVE = (
    f'w="${WAL}"; f="$w/%f.gz"; '
    'if test -e "$f"; then gzip -cd "$f" | cmp -s - "%p"; '
    'else gzip -1 -c "%p" > "$f.new" && sync "$f.new" && mv "$f.new" "$f" && sync "$w"; fi'
)
RESTORE = f'gzip -cd "${WAL}/%f.gz" > "%p"'
SWITCH_SECONDS = 60  # of what was written at most, that is lost together with the disk

SETTINGS: Mapping[str, str] = {
    "archive_mode": "on",
    "archive_command": ARCHIVE,
    "archive_timeout": str(SWITCH_SECONDS),
    "summarize_wal": "on",
}

NOT_ARCHIVING = (
    "The embedded database runs without an archive of its log: another process started it without "
    "DREAMNET_BACKUP_DIR. Stop that process, or set it there, too."
)


class Backups:
    """The backups of one server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.wal = self.folder / "wal"
        self.copies = self.folder / "copies"

    @property
    def variables(self) -> Mapping[str, str]:
        return {WAL: str(self.wal)}

    def prepare(self) -> None:
        for folder in (self.folder, self.wal, self.copies):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            hand_over(folder)

    def finished(self) -> list[Path]:
        """The copies, oldest first."""
        found = self.copies.glob("*Z.*") if self.copies.exists() else ()
        return sorted(path for path in found if path.suffix in (FULL, PART))

    def take(self, server: Server, *, full: bool = False) -> Path:
        """Copy the data of a running server, or what changed since the last copy. Raises
        EmbeddedFailed."""
        if server.query("show archive_mode").strip() != "on":
            raise EmbeddedFailed(NOT_ARCHIVING)
        last = self.finished()[-1:]
        if last and not full:
            try:
                return self._copy(server, PART, f"--incremental={last[0] / 'backup_manifest'}")
            except EmbeddedFailed as failed:
                if "WAL summar" not in str(failed) and "timeline" not in str(failed):
                    raise
        return self._copy(server, FULL)

    def chain(self, at: datetime | None) -> Sequence[Path]:
        """The copies from which the data of a time, or the latest, is made: a full one, and the
        parts after it. Raises EmbeddedFailed if there is none that old."""
        usable = [path for path in self.finished() if at is None or time_of(path) <= at]
        if not any(path.suffix == FULL for path in usable):
            oldest = next((f"{time_of(path):%FT%TZ}" for path in self.finished()), None)
            reason = f"The oldest backup is of {oldest}." if oldest else "There is no backup."
            raise EmbeddedFailed(f"No backup in {self.folder} is from before that time. {reason}")
        first = max(n for n, path in enumerate(usable) if path.suffix == FULL)
        return usable[first:]

    def abandon_after(self, at: datetime) -> None:
        """Use the copies of later times no more: the data has another history now."""
        for path in self.finished():
            if time_of(path) > at:
                path.rename(path.with_name(f"{path.name}{ABANDONED}"))

    def _copy(self, server: Server, suffix: str, *options: str) -> Path:
        unfinished = self.copies / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        address = "--host", server.sockets, "--username", "postgres"
        run("pg_basebackup", *address, f"--pgdata={unfinished}", "--checkpoint=fast", *options)
        run("pg_verifybackup", "--no-parse-wal", str(unfinished))
        ended = server.query("select extract(epoch from clock_timestamp()) * 1000000")
        at = datetime.fromtimestamp(int(ended.partition(".")[0]) / 1_000_000, UTC)
        path = self.copies / f"{at.strftime(NAME)}{suffix}"
        unfinished.rename(path)
        sync_folder(self.copies)
        return path


def time_of(path: Path) -> datetime:
    return datetime.strptime(path.stem, NAME).replace(tzinfo=UTC)
