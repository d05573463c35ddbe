"""Places: order rows of a feed as in their file, also rows of the same time.

A row is identified by its time and key, so importing it again changes nothing. Its position is
assigned when it is first stored, after existing rows. An exported row keeps its id.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from db.core import ids
from db.core.ingest.statements import insert_rows
from db.core.query.batch import requested_keys
from db.core.session.database import WriteSession
from db.core.table import Row, Table


async def place(
    session: WriteSession, table: type[Table], time: str, rows: Sequence[Row]
) -> list[Row]:
    """The rows that are not stored yet, with ids in the order of the file. `time` is the column
    that ids are made from. Acquires the lock of the feed."""
    await session.execute(insert_rows(table, ("id",), []))  # by its trigger
    stored = await _stored(session, table, {row[time] for row in rows})
    return _placed(rows, time, stored)


async def _stored(
    session: WriteSession, table: type[Table], times: Iterable[datetime]
) -> list[UUID]:
    id = table.columns()[0]
    asked = requested_keys((id, id), [(ids.floor(at), ids.ceiling(at)) for at in times])
    found = select(id).where(id >= asked.c.k0, id <= asked.c.k1)
    return [id for (id,) in await session.rows(found)]


def _placed(rows: Iterable[Row], time: str, stored: Iterable[UUID]) -> list[Row]:
    known, present = set[tuple[int, int]](), set(stored)
    places: defaultdict[datetime, int] = defaultdict(int)
    for id in present:
        known.add(ids.key_of(id))
        at = ids.time_of(id)
        places[at] = max(places[at], ids.place_of(id) + 1)
    new = []
    for row in rows:
        if row["is_exported"]:
            new += [row] if row["id"] not in present else []
        elif (key := ids.key_of(row["id"])) not in known:
            known.add(key)
            at = row[time]
            new.append({**row, "id": ids.placed(row["id"], places[at])})
            places[at] += 1
    return new
