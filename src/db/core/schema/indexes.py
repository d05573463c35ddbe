"""Indexes: create and drop indexes in a migration while gateways read and write their tables.

PostgreSQL builds an index without blocking writers only outside a transaction, and of a partitioned
table only on each partition. So a migration with these functions commits what it did before, and
may be interrupted between them: they complete or replace what an interrupted run left behind.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from alembic import op
from sqlalchemy import Connection, func, select, text

LOCK_TIMEOUT = "2s"  # of statements that readers or writers queue behind

# Settings of the session: outside a transaction, those of `prepare_session` do not apply.
SETTINGS = ("search_path", "lock_timeout", "statement_timeout", "transaction_timeout")

_LEAVES_WITHOUT = text("""
select leaf.relid::text
from pg_partition_tree(cast(:table as regclass)) as leaf
where leaf.isleaf and not exists (
  select from pg_inherits join pg_index on indexrelid = inhrelid
  where inhparent = cast(:index as regclass) and indrelid = leaf.relid
)
order by leaf.relid::text
""")
_KIND = text("select relkind::text from pg_class where oid = cast(:table as regclass)")
_IS_INVALID = text(
    "select exists (select from pg_index where indexrelid = to_regclass(:name) and not indisvalid)"
)


@dataclass(frozen=True, slots=True)
class NewIndex:
    """An index; `on` follows the name of the table in CREATE INDEX."""

    name: str
    table: str
    on: str
    unique: bool = False


def replace_indexes(new: Sequence[NewIndex], old: Sequence[tuple[str, str]]) -> None:
    """Create indexes, then drop others, given as table and name. Does nothing while the statements
    of a migration are only printed: no row depends on an index."""
    if op.get_context().as_sql:
        return
    with outside_transaction() as connection:
        for index in new:
            _create(connection, index)
        for table, name in old:
            _drop(connection, table, name)


@contextmanager
def outside_transaction() -> Iterator[Connection]:
    """A connection that commits each statement."""
    path = op.get_bind().scalar(select(func.current_setting("search_path")))
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        connection.execute(
            select(
                func.set_config("search_path", path, False),
                func.set_config("lock_timeout", "0", False),
                func.set_config("statement_timeout", "0", False),
            )
        )
        try:
            yield connection
        finally:
            for name in SETTINGS:
                connection.execute(text(f"reset {name}"))


def _create(connection: Connection, index: NewIndex) -> None:
    if not _is_partitioned(connection, index.table):
        _build(connection, index.name, index.table, index.on, unique=index.unique)
        return
    with _impatient(connection):
        connection.execute(
            text(f"create index if not exists {index.name} on only {index.table} {index.on}")
        )
    missing = {"table": index.table, "index": index.name}
    for leaf in connection.scalars(_LEAVES_WITHOUT, missing).all():
        name = f"{index.name}_{leaf[-8:]}"  # such as y2026m11
        _build(connection, name, leaf, index.on)
        with _impatient(connection):
            connection.execute(text(f"alter index {index.name} attach partition {name}"))


def _build(connection: Connection, name: str, table: str, on: str, *, unique: bool = False) -> None:
    """Build an index concurrently, in place of one that an interrupted run left invalid. Waits for
    open transactions of others, which do not wait for it."""
    if connection.scalar(_IS_INVALID, {"name": name}):
        connection.execute(text(f"drop index concurrently {name}"))
    kind = "unique index" if unique else "index"
    connection.execute(text(f"create {kind} concurrently if not exists {name} on {table} {on}"))


def _drop(connection: Connection, table: str, name: str) -> None:
    if not _is_partitioned(connection, table):
        connection.execute(text(f"drop index concurrently if exists {name}"))
        return
    with _impatient(connection):  # PostgreSQL drops it with those of all partitions at once
        connection.execute(text(f"drop index if exists {name}"))


@contextmanager
def _impatient(connection: Connection) -> Iterator[None]:
    """Fail rather than block readers or writers for long; the migration is then repeated."""
    connection.execute(text(f"set lock_timeout = '{LOCK_TIMEOUT}'"))
    yield
    connection.execute(text("set lock_timeout = 0"))


def _is_partitioned(connection: Connection, table: str) -> bool:
    return bool(connection.scalar(_KIND, {"table": table}) == "p")
