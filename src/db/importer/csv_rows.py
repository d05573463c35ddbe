"""CSV rows: parse a CSV file, with errors by row.

Source: RFC 4180, with any separator. Quoted fields may hold line breaks, so the number of a row is
that of its first line in the file.
"""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from db.importer.lines import LONGEST, Line

csv.field_size_limit(LONGEST)  # for the whole process; there is no other option

_REASONS = {
    "unexpected end of data": "a quoted field is not closed",
    "expected after '\"'": "text follows the closing quote of a field",
    "new-line character seen": "a carriage return is outside of quotes",
}


@dataclass(slots=True, frozen=True)
class CsvRow:
    """A row of the file; `problem` is the reason if it has no fields."""

    number: int
    text: bytes
    fields: tuple[str, ...] = ()
    problem: str | None = None


class CsvReader:
    """The rows of numbered lines with line ends, without blank lines.

    An invalid row is one line long, and parsing continues with the next line, so that an unclosed
    quote does not include the valid rows after it.
    """

    def __init__(self, lines: Iterator[Line], separator: str) -> None:
        self.lines = lines
        self.separator = separator
        self._again: deque[Line] = deque()

    def __iter__(self) -> Iterator[CsvRow]:
        while (row := self._next()) is not None:
            if row.fields or row.problem:
                yield row

    def _next(self) -> CsvRow | None:
        taken: list[Line] = []
        try:
            fields = next(
                csv.reader(self._texts(taken), delimiter=self.separator, strict=True), None
            )
        except csv.Error as error:
            self._again.extendleft(reversed(taken[1:]))
            return CsvRow(taken[0].number, taken[0].text, problem=_reason(error))
        if fields is None:
            return None
        number, text = taken[0].number, b"".join(line.text for line in taken)
        if _is_text(text):
            return CsvRow(number, text, tuple(fields))
        return CsvRow(number, text, problem="the row is not UTF-8")

    def _texts(self, taken: list[Line]) -> Iterator[str]:
        """Yield lines as text, and append them to `taken`. Raises csv.Error."""
        size = 0
        while (line := self._line()) is not None:
            taken.append(line)
            size += len(line.text)
            if line.problem or size > LONGEST:
                raise csv.Error(line.problem or f"the row is longer than {LONGEST:,} bytes")
            yield line.text.decode(errors="surrogateescape")

    def _line(self) -> Line | None:
        return self._again.popleft() if self._again else next(self.lines, None)


def _is_text(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _reason(error: csv.Error) -> str:
    message = str(error)
    return next((reason for part, reason in _REASONS.items() if part in message), message)
