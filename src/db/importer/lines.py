"""Lines: a file as numbered lines, whether compressed or not, of any size in little memory."""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

LONGEST = 16 * 2**20  # bytes of one line; a line is read as a whole

_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHOWN = 200  # bytes of a line that is too long to be kept


@dataclass(slots=True, frozen=True)
class Line:
    """One line, counted from 1; `problem` says why it could not be read as a whole."""

    number: int
    text: bytes
    problem: str | None = None


class Source:
    """One file. Raises OSError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            self.size = os.fstat(file.fileno()).st_size
        self._position: Callable[[], int] = lambda: 0

    @property
    def position(self) -> int:
        """How many bytes of the file, as it lies on the disk, were read."""
        return self._position()

    def __iter__(self) -> Iterator[Line]:
        """The lines that are not blank. Damage to the compression is told as a last line."""
        with self.path.open("rb") as file:
            self._position = file.tell
            number = 0
            try:
                for number, (text, problem) in enumerate(_cut(_plain(file)), 1):
                    if problem or text.strip():
                        yield Line(number, text, problem)
            except (EOFError, OSError, zlib.error) as error:
                yield Line(number + 1, b"", _damage(error))


def _plain(file: io.BufferedReader) -> BinaryIO:
    compressed = file.peek(len(_GZIP)).startswith(_GZIP)
    return cast("BinaryIO", gzip.GzipFile(fileobj=file) if compressed else file)


def _cut(stream: BinaryIO) -> Iterator[tuple[bytes, str | None]]:
    """The lines of a stream, each with what is wrong with it."""
    start = _BYTE_ORDER_MARK
    while text := stream.readline(LONGEST):
        if len(text) == LONGEST and not text.endswith(b"\n"):
            _skip_line(stream)
            yield text[:_SHOWN], f"the line is longer than {LONGEST:,} bytes"
        else:
            yield text.removeprefix(start).rstrip(b"\r\n"), None
        start = b""


def _skip_line(stream: BinaryIO) -> None:
    while (rest := stream.readline(LONGEST)) and not rest.endswith(b"\n"):
        pass


def _damage(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the compressed file is cut off here; the lines before this one were read"
    return f"the file cannot be read on from here ({error}); the lines before this one were read"
