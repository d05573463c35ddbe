"""Ring: a buffer of the newest rows of a feed, for all its subscribers in this process."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from db.core.feed.feed import FeedRow

MAX_ROWS = 20_000
MAX_BYTES = 32 * 1024 * 1024  # as PostgreSQL stores them


class Ring:
    """All rows after `tail`, in order; new rows replace the oldest."""

    def __init__(self, tail: int, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        self.tail = tail
        self.max_rows, self.max_bytes = max_rows, max_bytes
        self.seqs: list[int] = []
        self.records: list[FeedRow] = []
        self.sizes: list[int] = []
        self.bytes = 0

    def extend(self, records: Sequence[FeedRow], sizes: Sequence[int]) -> None:
        self.seqs += [record.seq for record in records]
        self.records += records
        self.sizes += sizes
        self.bytes += sum(sizes)
        self._drop(self._surplus())

    def since(self, seq: int, most_bytes: int | None = None) -> Sequence[FeedRow] | None:
        if seq < self.tail:
            return None
        start = bisect_right(self.seqs, seq)
        if most_bytes is None:
            return self.records[start:]
        return self.records[start : start + fitting(self.sizes[start:], most_bytes)]

    def at(self, seq: int) -> FeedRow | None:
        place = bisect_right(self.seqs, seq) - 1
        return self.records[place] if place >= 0 and self.seqs[place] == seq else None

    def _surplus(self) -> int:
        rows = max(0, len(self.seqs) - self.max_rows)
        if self.bytes <= self.max_bytes:
            return rows
        sums = list(accumulate(self.sizes))
        return max(rows, 1 + bisect_left(sums, self.bytes - self.max_bytes))

    def _drop(self, rows: int) -> None:
        if rows:
            self.tail = self.seqs[rows - 1]
            self.bytes -= sum(self.sizes[:rows])
            for kept in (self.seqs, self.records, self.sizes):
                del kept[:rows]


def fitting(sizes: Sequence[int], most_bytes: int) -> int:
    """The number of first sizes whose sum is at most `most_bytes`; at least one."""
    return max(1, bisect_right(list(accumulate(sizes)), most_bytes))
