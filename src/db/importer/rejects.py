"""Rejects: write lines that were not imported to a file, with the reason."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO

import orjson

from db.importer.report import SHOWN, FileReport, Reject


class NotWritten(Exception):
    """The rejects file cannot be written; the message says which and why."""


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
        """Counts and writes them. Raises NotWritten."""
        lines = list(rejects)
        self._report.rejected += len(lines)
        self._report.rejects = [*self._report.rejects, *lines][:SHOWN]
        try:
            for reject in lines:
                self._open().write(_line(reject))
        except OSError as error:
            raise NotWritten(f"{self._path} cannot be written: {error.strerror}") from error

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._file = self._path.open("wb")
            self._report.rejects_path = self._path
        return self._file


def _line(reject: Reject) -> bytes:
    text = reject.text.decode(errors="backslashreplace")
    content = {"line": reject.line, "reason": reject.reason, "text": text}
    return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
