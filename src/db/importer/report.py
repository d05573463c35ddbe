"""Report: the result of an import, and its progress."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from db.core.ingest.statements import Counts

SHOWN = 10  # rejects of a file in the report; the rejects file has all


@dataclass(slots=True, frozen=True)
class Reject:
    """A line that was not imported. `reason` says which field, and what is wrong with it."""

    line: int
    reason: str
    text: bytes


@dataclass(slots=True)
class FileReport:
    """The result of one file. `rejects` are the first few; `rejects_path` has all."""

    path: Path
    kinds: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)
    rejects_path: Path | None = None
    seconds: float = 0.0

    @property
    def rows(self) -> int:
        return sum(counts.total for counts in self.kinds.values())

    @property
    def rows_per_second(self) -> float:
        return (self.rows + self.rejected) / max(self.seconds, 1e-6)

    @property
    def empty(self) -> bool:
        return not self.rows and not self.rejected


@dataclass(slots=True)
class Report:
    """The result of an import. `stopped` is set if --strict ended it at an invalid line, and
    `unwritten` to the error if a rejects file could not be written."""

    files: list[FileReport] = field(default_factory=list)
    progress_logs: Counts = field(default_factory=Counts)
    users_created: int = 0
    stopped: bool = False
    unwritten: str | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        return sum(file.rejected for file in self.files)

    @property
    def changed(self) -> bool:
        counts = [*(c for file in self.files for c in file.kinds.values()), self.progress_logs]
        return any(one.inserted or one.updated for one in counts)


@dataclass(slots=True, frozen=True)
class Progress:
    """The progress of an import. `done` and `total` are bytes of the file on disk, and `rows` its
    lines. While progress logs are computed, `path` is None, `done` and `total` are dreams, and
    `rows` are logs."""

    path: Path | None
    done: int
    total: int
    rows: int
    rows_per_second: float


OnProgress = Callable[[Progress], None]
