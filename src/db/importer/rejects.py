"""Rejects: the lines that were not imported, in a file that says why."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

import orjson

from db.importer.report import SHOWN, FileReport, Reject


class Rejects:
    """The rejects file of one imported file, made at the first reject.

    Each line is an object: `line` (number), `reason`, and `text`, the line as it was; bytes that
    are not UTF-8 are shown as escapes.
    """

    def __init__(self, report: FileReport, path: Path) -> None:
        self._report = report
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "Rejects":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()

    def add(self, rejects: Iterable[Reject]) -> None:
        """Writes and counts them. Raises OSError where the folder cannot be written."""
        for reject in rejects:
            self._report.rejected += 1
            self._report.rejects = [*self._report.rejects, reject][:SHOWN]
            self._open().write(_line(reject))

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._path.open("wb")
            self._report.rejects_path = self._path
        return self._file


def _line(reject: Reject) -> bytes:
    text = reject.text.decode(errors="backslashreplace")
    content = {"line": reject.line, "reason": reject.reason, "text": text}
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
