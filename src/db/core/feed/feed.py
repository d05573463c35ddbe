"""Feed: what each feed declares of itself, and what the database knows of its history."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import Table

LOW_BITS = 0xFFFF_FFFF


class FeedState(Table):
    """The history of one feed: another database has another epoch; rows below `min_seq` may be
    gone, all others are there."""

    __tablename__ = "feeds"

    name: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    min_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))


@dataclass(frozen=True, slots=True)
class Feed:
    """A table whose rows have a `seq` in the order of their commits. `check` gives 32 bits that
    tell a row from any other that might have its number."""

    name: str
    table: type[Table]
    check: Callable[[Any], int]


def checksum_of_id(record: Any) -> int:
    """The check of a row that has an id: its random end."""
    low: int = record.id.int & LOW_BITS
    return low
