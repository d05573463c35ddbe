"""Host counts: the streams of each client in all workers of a host, in memory that they share.

Each worker writes a column of its own and reads those of the others, so nothing is locked, and two
workers that admit a stream at the same moment may exceed a limit by one. Two clients in one row,
which is one in 65,536, are counted together.
"""

import ctypes
from collections.abc import Collection
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray
from zlib import crc32

ROWS = 65_536
ALL = ""  # stands for all clients together


@dataclass(frozen=True, slots=True)
class Column:
    """The counts of one worker, and those of all others."""

    own: "ctypes.Array[ctypes.c_int]"
    others: "list[ctypes.Array[ctypes.c_int]]"

    def add(self, name: str, change: int) -> None:
        self.own[_row(name)] += change

    def elsewhere(self, name: str) -> int:
        row = _row(name)
        return sum(column[row] for column in self.others)


class HostCounts:
    """Columns for so many workers, which the processes of the workers inherit."""

    def __init__(self, workers: int) -> None:
        self.columns = [RawArray(ctypes.c_int, ROWS) for _ in range(workers)]

    def free(self, used: Collection[int]) -> int:
        """The first of the columns that no worker uses, all of which become zeros."""
        free = [index for index in range(len(self.columns)) if index not in used]
        for index in free:
            ctypes.memset(self.columns[index], 0, ctypes.sizeof(self.columns[index]))
        return free[0]

    def column(self, index: int) -> Column:
        own = self.columns[index]
        return Column(own, [each for each in self.columns if each is not own])


def _row(name: str) -> int:
    return crc32(name.encode(errors="surrogatepass")) % ROWS
