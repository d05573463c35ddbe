"""Report: what an import did, and where it is while it runs."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from db.core.ingest.statements import Counts

SHOWN = 10  # rejects of a file that the report itself quotes; the rejects file has all of them


@dataclass(slots=True, frozen=True)
class Reject:
    """A line that was not imported. `reason` says which field, and what is wrong with it."""

    line: int
    reason: str
    text: bytes


@dataclass(slots=True)
class FileReport:
    """What became of one file. `rejects` holds the first few, `rejects_path` all of them."""

    path: Path
    kinds: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)
    rejects_path: Path | None = None
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        """Lines that are in the database now, whether they were before or not."""
        return sum(counts.total for counts in self.kinds.values())

    @property
    def rows_per_second(self) -> float:
        """How quickly lines were handled, rejected ones included."""
        return (self.rows + self.rejected) / max(self.seconds, 1e-6)

    @property
    def empty(self) -> bool:
        """Whether the file held no line at all."""
        return not self.rows and not self.rejected


@dataclass(slots=True)
class Report:
    """What an import did. `stopped` tells that --strict ended it at a bad line, `unwritten` that it
    ended because a rejects file could not be written, and why."""

    files: list[FileReport] = field(default_factory=list)
    progress_logs: Counts = field(default_factory=Counts)
    users_created: int = 0
    stopped: bool = False
    unwritten: str | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """How many lines were rejected."""
        return sum(file.rejected for file in self.files)

    @property
    def changed(self) -> bool:
        """Whether the database differs from what it was."""
        counts = [*(c for file in self.files for c in file.kinds.values()), self.progress_logs]
        return any(one.inserted or one.updated for one in counts)


@dataclass(slots=True, frozen=True)
class Progress:
    """Where an import is. The unit of `done` and `total` is bytes of the file on the disk, or
    dreams where `path` is None, which is when progress logs are computed; `rows` counts lines of
    the file, or progress logs."""

    path: Path | None
    done: int
    total: int
    rows: int
    rows_per_second: float


OnProgress = Callable[[Progress], None]
