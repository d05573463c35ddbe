"""Feed: the declaration of a feed, and its state in the database."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import BigInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import Table

LOW_BITS = 0xFFFF_FFFF


class FeedState(Table):
    """The history of one feed. `epoch` differs in another database; rows below `min_seq` may have
    expired, all others exist."""

    __tablename__ = "feeds"

    name: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())
    min_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))


class FeedRow(Protocol):
    """A record of a table of a feed."""

    @property
    def seq(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Feed:
    """A table whose rows have a `seq` in commit order. `check` returns a 32-bit checksum that
    distinguishes a row from any other with the same `seq`. Writers insert rows of the table
    `pending` instead, if there is one, which become rows of the feed after their commit."""

    name: str
    table: type[Table]
    check: Callable[[Any], int]  # of a record of `table`
    pending: type[Table] | None = None


def checksum_of_id(record: Table) -> int:
    return record.id.int & LOW_BITS
