"""State: how far the periods of a rollup are closed, and which of them changed since."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import Table, checked
from db.core.values import validation

NAME = validation.string(63)  # of a table of PostgreSQL


class RollupState(Table):
    """One rollup: the table it sums up, and the width of its shortest period.

    Periods before `closed` are closed. To close more, `closing` is set first: from then on, writes
    to rows with ids below `bound` mark their periods. A transaction that wrote before has a number
    below `horizon`; when all of those have ended, `closed` follows.
    """

    __tablename__ = "rollups"

    name: Mapped[str] = checked(NAME, primary_key=True)
    source: Mapped[str] = checked(NAME)
    width: Mapped[str] = checked(NAME)
    bound: Mapped[UUID]
    closing: Mapped[datetime | None]
    horizon: Mapped[int | None] = mapped_column(BigInteger)
    closed: Mapped[datetime | None]


class RollupMark(Table):
    """A period of a rollup whose rows changed. Each transaction leaves marks of its own, so that
    removing those of others keeps them."""

    __tablename__ = "rollup_marks"
    __table_args__ = (Index(None, "rollup", "period"),)

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    rollup: Mapped[str] = checked(NAME)
    period: Mapped[datetime]
