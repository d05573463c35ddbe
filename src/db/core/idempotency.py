"""Idempotency: a create that is sent again with the same key is answered, not done again.

A key belongs to one caller and holds for 48 hours. It is claimed in the transaction of the write: a
second request with the key waits for the first to commit, and then finds what the first has made.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from db.core.errors import Conflict
from db.core.session.database import Database, WriteSession
from db.core.table import CreatedAt, Table, checked
from db.core.values import validation

KEPT = timedelta(hours=48)
KEY = validation.string()
BATCH_ROWS = 5_000


class IdempotencyKey(Table):
    """One key of one caller, what was asked under it, and what that made."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = checked(KEY, primary_key=True)
    request_hash: Mapped[str]
    entity_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Claim:
    """A key as a caller gives it, with the hash of what is asked under it. Keys of earlier versions
    were stored with `earlier_hash`; the last of them expires 48 hours after an update."""

    caller: str
    key: str
    request_hash: str
    earlier_hash: str


def check_key(key: str) -> None:
    """Raises Invalid for a text that is too short or too long to be a key."""
    validation.raise_if_invalid(
        validation.field_errors({"idempotency_key": KEY}, {"idempotency_key": key})
    )


async def claim(session: WriteSession, wanted: Claim) -> UUID | None:
    """Takes a key, or returns the id of what was made under it before.

    Raises Conflict if something else was asked under it, Invalid if it is no key.
    """
    check_key(wanted.key)
    if await session.execute(_take(wanted)):
        return None
    known = await session.record(IdempotencyKey, IdempotencyKey.select().where(*_same(wanted)))
    if known is None or known.request_hash not in (wanted.request_hash, wanted.earlier_hash):
        raise Conflict("Something else was asked under this idempotency key.")
    return known.entity_id


async def settle(session: WriteSession, taken: Claim, entity_id: UUID) -> None:
    """Notes what was made under a key that was taken in this transaction."""
    statement = update(IdempotencyKey).where(*_same(taken)).values(entity_id=entity_id)
    await session.execute(statement)


async def remove_expired(database: Database) -> int:
    """Removes the keys that no longer hold, batch by batch so that nobody waits for long; returns
    how many. Several processes may do so at once. Raises what sessions raise."""
    removed = 0
    while True:
        async with database.write() as session:
            batch = await session.execute(_remove_batch())
        removed += batch
        if batch < BATCH_ROWS:
            return removed


def _take(wanted: Claim) -> Executable:
    """Inserts a key, or takes over one that is expired. A key that holds is locked, so that it
    cannot be removed before it is read."""
    row = {"caller": wanted.caller, "key": wanted.key, "request_hash": wanted.request_hash}
    anew = {"request_hash": wanted.request_hash, "entity_id": None, "created_at": func.now()}
    return (
        insert(IdempotencyKey)
        .values(row)
        .on_conflict_do_update(
            index_elements=["caller", "key"],
            set_=anew,
            where=_is_expired(IdempotencyKey.created_at),
        )
    )


def _remove_batch() -> Executable:
    key = IdempotencyKey.caller, IdempotencyKey.key
    oldest = (
        select(*key)
        .where(_is_expired(IdempotencyKey.created_at))
        .order_by(IdempotencyKey.created_at)
        .limit(BATCH_ROWS)
        .with_for_update(skip_locked=True)
    )
    return delete(IdempotencyKey).where(tuple_(*key).in_(oldest))


def _is_expired(created_at: Any) -> ColumnElement[bool]:
    expired: ColumnElement[bool] = created_at < func.now() - KEPT
    return expired


def _same(claim: Claim) -> tuple[Any, ...]:
    return IdempotencyKey.caller == claim.caller, IdempotencyKey.key == claim.key
