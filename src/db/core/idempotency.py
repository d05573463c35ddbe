"""Idempotency: a create that is repeated with the same key returns the row of the first one.

A key belongs to one caller and is valid for 48 hours, or longer if it is kept longer. It is claimed
in the transaction of the write: a second request with the key waits for the first to commit and
then finds its row.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    Text,
    cast,
    delete,
    func,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.orm import InstrumentedAttribute, Mapped, mapped_column

from db.core.errors import Conflict
from db.core.ingest.statements import literal_rows
from db.core.session.database import Database, WriteSession
from db.core.table import CreatedAt, Row, Table, checked
from db.core.values import validation

RETENTION = timedelta(hours=48)  # at least: clients rely on it
KEY = validation.string()
BATCH_ROWS = 5_000
GONE = (
    "The object created with this idempotency key was deleted since or is no longer visible to "
    "you. Use another key to create it again."
)
CLAIMED = ("caller", "key", "request_hash")  # columns of a new key


class IdempotencyKey(Table):
    """A key of one caller, the hash of its request, and the id of the row it created."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = checked(KEY, primary_key=True)
    request_hash: Mapped[str]
    entity_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Claim:
    """A key sent by a caller, with the hash of the request, and how long it is kept. Earlier
    versions stored `earlier_hash`; the last such key expires that long after an update."""

    caller: str
    key: str
    request_hash: str
    earlier_hash: str
    keep: timedelta = RETENTION


def check_key(key: str) -> None:
    """Raises Invalid for a key that is too short or too long."""
    validation.raise_if_invalid(
        validation.field_errors({"idempotency_key": KEY}, {"idempotency_key": key})
    )


async def claim(session: WriteSession, claim: Claim) -> UUID | None:
    """Claim a key, or return the id of the row created under it before.

    Raises Conflict if the key was used for another request, and Invalid for an invalid key.
    """
    check_key(claim.key)
    if await session.execute(_upsert(claim)):
        return None
    known = await session.record(IdempotencyKey, IdempotencyKey.select().where(*_same(claim)))
    return _entity_id(known, claim)


async def settle(session: WriteSession, claim: Claim, entity_id: UUID) -> None:
    statement = update(IdempotencyKey).where(*_same(claim)).values(entity_id=entity_id)
    await session.execute(statement)


async def claim_all(
    session: WriteSession, claims: Sequence[Claim]
) -> dict[str, UUID | Conflict | None]:
    """`claim` for several keys of one caller, in two statements. Returns the ids of the rows
    created before, or the conflicts, by key."""
    if not claims:
        return {}
    unrestricted = session.unrestricted()
    claimed = {key for (key,) in await unrestricted.rows(_upsert_all(claims))}
    used = [claim for claim in claims if claim.key not in claimed]
    if not used:
        return {}
    keys = [claim.key for claim in used]
    rows = await unrestricted.records(
        IdempotencyKey, IdempotencyKey.select().where(*_among(used[0].caller, keys))
    )
    by_key = {row.key: row for row in rows}
    return {claim.key: _id_or_conflict(by_key.get(claim.key), claim) for claim in used}


async def settle_all(session: WriteSession, caller: str, ids: Mapping[str, UUID]) -> None:
    if ids:
        rows = [{"key": key, "entity_id": id} for key, id in ids.items()]
        items = literal_rows(IdempotencyKey, ["key", "entity_id"], rows)
        mine = IdempotencyKey.caller == caller, IdempotencyKey.key == items.c.key
        statement = update(IdempotencyKey).values(entity_id=items.c.entity_id).where(*mine)
        await session.unrestricted().execute(statement)


async def release_all(session: WriteSession, caller: str, keys: Collection[str]) -> None:
    if keys:
        await session.execute(delete(IdempotencyKey).where(*_among(caller, keys)))


async def remove_expired(database: Database, keep: timedelta = RETENTION) -> int:
    """Delete keys older than they are kept in batches, so that locks are short; return how many.
    Several processes may do so at once. Raises as sessions do."""
    removed = 0
    while True:
        async with database.write() as session:
            batch = await session.execute(_remove_batch(keep))
        removed += batch
        if batch < BATCH_ROWS:
            return removed


def _upsert(claim: Claim) -> Executable:
    """Insert a key, or reuse an expired one. A valid key is locked, so that it cannot be deleted
    before it is read."""
    return _renewing(insert(IdempotencyKey).values(_row(claim)), claim.keep)


def _upsert_all(claims: Sequence[Claim]) -> Executable:
    """In the order of keys, so that no two transactions wait for each other."""
    items = literal_rows(IdempotencyKey, CLAIMED, [_row(claim) for claim in claims])
    ordered = select(*items.c).order_by(items.c.key)
    statement = insert(IdempotencyKey).from_select(CLAIMED, ordered, False)
    return _renewing(statement, claims[0].keep).returning(IdempotencyKey.key)


def _row(claim: Claim) -> Row:
    return {"caller": claim.caller, "key": claim.key, "request_hash": claim.request_hash}


def _renewing(statement: Insert, keep: timedelta) -> Insert:
    renewed = {"request_hash": statement.excluded.request_hash, "entity_id": None}
    return statement.on_conflict_do_update(
        index_elements=["caller", "key"],
        set_={**renewed, "created_at": func.now()},
        where=_is_expired(IdempotencyKey.created_at, keep),
    )


def _entity_id(known: IdempotencyKey | None, claim: Claim) -> UUID | None:
    """Raises Conflict."""
    if known is None or known.request_hash not in (claim.request_hash, claim.earlier_hash):
        raise Conflict("This idempotency key was used with another input. Use another key.")
    return known.entity_id


def _id_or_conflict(known: IdempotencyKey | None, claim: Claim) -> UUID | Conflict | None:
    try:
        return _entity_id(known, claim)
    except Conflict as conflict:
        return conflict


def _among(caller: str, keys: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    some = IdempotencyKey.key == func.any(cast(list(keys), ARRAY(Text)))
    return IdempotencyKey.caller == caller, some


def _remove_batch(keep: timedelta) -> Executable:
    key = IdempotencyKey.caller, IdempotencyKey.key
    oldest = (
        select(*key)
        .where(_is_expired(IdempotencyKey.created_at, keep))
        .order_by(IdempotencyKey.created_at)
        .limit(BATCH_ROWS)
        .with_for_update(skip_locked=True)
    )
    return delete(IdempotencyKey).where(tuple_(*key).in_(oldest))


def _is_expired(
    created_at: InstrumentedAttribute[datetime], keep: timedelta
) -> ColumnElement[bool]:
    return created_at < func.now() - keep


def _same(claim: Claim) -> tuple[ColumnElement[bool], ...]:
    return IdempotencyKey.caller == claim.caller, IdempotencyKey.key == claim.key
