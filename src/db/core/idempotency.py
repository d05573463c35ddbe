"""Idempotency: a create that is sent again with the same key is answered, not done again.

A key belongs to one caller. It is claimed in the transaction of the write: whoever comes second
waits for the first to commit, and then finds what the first has made.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from db.core.database import WriteSession
from db.core.errors import Conflict, Invalid
from db.core.table import CreatedAt, Table

KEPT = timedelta(hours=48)
MAX_LENGTH = 200


class IdempotencyKey(Table):
    """One key of one caller, what was asked under it, and what that made."""

    __tablename__ = "idempotency_keys"

    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    entity_id: Mapped[UUID | None]
    created_at: Mapped[CreatedAt] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Claim:
    """A key as a caller gives it, with the hash of what is asked under it."""

    caller: str
    key: str
    request_hash: str


def check_key(key: str) -> None:
    """Raises Invalid for a text that is too short or too long to be a key."""
    if not 1 <= len(key) <= MAX_LENGTH:
        raise Invalid(f"A key has 1 to {MAX_LENGTH} characters.", "idempotencyKey")


async def claim(session: WriteSession, wanted: Claim) -> UUID | None:
    """Takes a key, or returns what was made under it before.

    Raises Conflict if something else was asked under it, Invalid if it is no key.
    """
    check_key(wanted.key)
    if await session.execute(_take(wanted)):
        return None
    known = await session.record(IdempotencyKey, IdempotencyKey.select().where(*_same(wanted)))
    if known is None or known.request_hash != wanted.request_hash:
        raise Conflict("Something else was asked under this idempotency key.")
    made: UUID = known.entity_id
    return made


async def settle(session: WriteSession, taken: Claim, entity_id: UUID) -> None:
    """Notes what was made under a key that was taken in this transaction."""
    statement = update(IdempotencyKey).where(*_same(taken)).values(entity_id=entity_id)
    await session.execute(statement)


async def forget_old(session: WriteSession) -> int:
    """Forgets the keys that are too old to be sent again; returns how many."""
    old = IdempotencyKey.created_at < datetime.now(UTC) - KEPT
    return await session.execute(delete(IdempotencyKey).where(old))


def _take(wanted: Claim) -> Executable:
    row = {"caller": wanted.caller, "key": wanted.key, "request_hash": wanted.request_hash}
    return insert(IdempotencyKey).values(row).on_conflict_do_nothing()


def _same(claim: Claim) -> tuple[Any, ...]:
    return IdempotencyKey.caller == claim.caller, IdempotencyKey.key == claim.key
