"""Lines: read a file of any size, compressed or not, as numbered lines."""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)  # to the compression of a file
LONGEST = 16 * 2**20  # bytes of one line; a line is read as a whole

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHOWN = 200  # bytes of a line that is too long to be kept


@dataclass(slots=True, frozen=True)
class Line:
    """One line, numbered from 1; `problem` is the reason if it could not be read as a whole."""

    number: int
    text: bytes
    problem: str | None = None

    @property
    def record(self) -> bytes:
        return self.text

    def renamed(self, reason: str) -> str:
        return reason


class Source:
    """One file of lines in the format of imports. Raises OSError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count = 0
        self._position: Callable[[], int] = lambda: 0
        with path.open("rb") as file:
            self.size = os.fstat(file.fileno()).st_size

    @property
    def position(self) -> int:
        return self._position()

    def __iter__(self) -> Iterator[Line]:
        """The lines to import. Damage to the compression is reported as a last line."""
        with self.opened() as stream:
            try:
                yield from self.read(self.numbered(stream))
            except (*DAMAGE, OSError) as error:
                yield Line(self._count + 1, b"", _damage(error))

    def read(self, lines: Iterator[Line]) -> Iterator[Line]:
        for line in lines:
            if line.problem or line.text.strip():
                yield Line(line.number, line.text.rstrip(b"\r\n"), line.problem)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """The content of the file. Raises OSError."""
        with self.path.open("rb") as file:
            if file.seekable():
                self._position = file.tell
            yield _plain(file)

    def numbered(self, stream: BinaryIO) -> Iterator[Line]:
        for self._count, (text, problem) in enumerate(_cut(stream), 1):
            yield Line(self._count, text, problem)


def _plain(file: io.BufferedReader) -> BinaryIO:
    compressed = file.peek(len(_GZIP)).startswith(_GZIP)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file) if compressed else file)


def _cut(stream: BinaryIO) -> Iterator[tuple[bytes, str | None]]:
    start = _BYTE_ORDER_MARK
    while text := stream.readline(LONGEST):
        if len(text) == LONGEST and not text.endswith(b"\n"):
            _skip_line(stream)
            yield text[:_SHOWN], f"the line is longer than {LONGEST:,} bytes"
        else:
            yield text.removeprefix(start), None
        start = b""


def _skip_line(stream: BinaryIO) -> None:
    while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass


def _damage(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the compressed file is truncated here; the lines before this one were read"
    return f"the rest of the file cannot be read ({error}); the lines before this one were read"
