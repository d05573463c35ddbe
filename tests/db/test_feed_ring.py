"""The ring: the newest rows of a feed, within bounds."""

import pytest

from db.core.feed.ring import Ring
from db.events import Event


def _ring(rows: int, max_rows: int = 1_000, max_bytes: int = 1_000_000) -> Ring:
    ring = Ring(0, max_rows, max_bytes)
    row = Event.Record(*[None] * len(Event.Record._fields))
    for seq in range(2, 2 * rows + 1, 2):
        ring.extend([row._replace(seq=seq)], [100])
    return ring


def test_a_ring_drops_the_oldest_of_too_many_rows() -> None:
    ring = _ring(10, max_rows=4)
    assert (ring.tail, ring.seqs, ring.bytes) == (12, [14, 16, 18, 20], 400)
    assert ring.since(11) is None
    assert [row.seq for row in ring.since(12) or ()] == [14, 16, 18, 20]
    assert [row.seq for row in ring.since(15) or ()] == [16, 18, 20]


@pytest.mark.parametrize(("max_bytes", "rows"), [(1_000, 10), (999, 9), (900, 9), (99, 0)])
def test_a_ring_drops_the_oldest_of_too_many_bytes(max_bytes: int, rows: int) -> None:
    ring = _ring(10, max_bytes=max_bytes)
    assert (len(ring.records), ring.bytes) == (rows, rows * 100)
    assert ring.tail == 20 - 2 * rows


def test_a_ring_finds_a_row_by_its_number() -> None:
    ring = _ring(3)
    assert [row and row.seq for row in map(ring.at, range(8))] == [
        *(None, None, 2, None, 4, None, 6, None)
    ]
