"""Bounds: every text and list that a client can send is bounded, and fits where it is indexed."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_list_type,
)
from sqlalchemy import ARRAY, PrimaryKeyConstraint, String, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from strawberry.types.lazy_type import LazyType

import db as db
from db.core.table import Table
from graph.core.types.comparators import Comparator
from graph.schema import schema

TYPES = schema._schema.type_map
TABLES = sorted(
    (mapper.class_ for mapper in Table.registry.mappers), key=lambda table: table.__name__
)
UNBOUNDED = {"String", "ID", "JSON"}
INDEX_BYTES = 2_600  # of an entry, which has less than 2,704, with an id and what is its own
CHARACTER_BYTES = 4  # at most, in UTF-8
# Within a row that is bounded as a whole (db.core.ingest.rows), or within their list, as ids are.
BOUNDED_AS_A_WHOLE = {"payload", "metadata", "tags", "currentTask", "performanceMetrics", "ids"}
# What the gateway itself writes, or an import with bounds of its own.
OWN = {
    *("api_keys.prefix", "idempotency_keys.caller", "dreams.import_key"),
    "feeds.name",
}


# Columns whose values the gateway makes itself, of what is bounded.
MADE = {
    *(
        "api_keys.prefix",
        "api_keys.hashed_key",
        "changes.noun",
        "pending_changes.noun",
        "feeds.name",
    ),
    *("ai_test_queue.claimed_by", "idempotency_keys.caller"),
    "idempotency_keys.request_hash",
    *("audit_log.before", "audit_log.after"),  # of a row, whose columns are bounded
    *("agent_states.error_log",),  # the last 20, each of which is bounded
    *("progress_logs.active_models", "progress_logs.snapshot_data"),  # see db.progress.MAX_MODELS
    "dreams.import_key",
}
# JSON that is bounded as part of a row or a line (db.core.ingest.rows, db.importer.parse).
IN_ITEMS = {"payload", "metadata", "tags", "current_task", "performance_metrics"}


def declared(item: Any) -> Any:
    return item.extensions["strawberry-definition"]


def is_comparator(type_: Any) -> bool:
    """Whether an input compares one column: its check is that of the filter's field."""
    return issubclass(declared(type_).origin, Comparator)


def inputs() -> Iterator[tuple[str, str, Any]]:
    """Every argument of a field, and every field of an input: its place, its name, itself."""
    for type_name, type_ in TYPES.items():
        if isinstance(type_, GraphQLObjectType) and not type_name.startswith("__"):
            for field_name, field in type_.fields.items():
                for name, argument in field.args.items():
                    yield f"{type_name}.{field_name}({name}:)", name, argument
        elif isinstance(type_, GraphQLInputObjectType) and not is_comparator(type_):
            for name, item in type_.fields.items():
                yield f"{type_name}.{name}", name, item


def needs_bound(item: Any) -> bool:
    is_list = is_list_type(get_nullable_type(item.type))
    return is_list or get_named_type(item.type).name in UNBOUNDED


def test_every_text_and_list_that_is_sent_has_a_bound() -> None:
    asked = [(place, name, item) for place, name, item in inputs() if needs_bound(item)]
    unbounded = [
        place
        for place, name, item in asked
        if name not in BOUNDED_AS_A_WHOLE and "check" not in declared(item).metadata
    ]

    assert len(asked) > 100
    assert unbounded == []


def stored_texts() -> Iterator[Any]:
    """Every column that holds texts or JSON."""
    for table in TABLES:
        kinds = String | ARRAY | JSONB
        yield from (column for column in table.__table__.columns if isinstance(column.type, kinds))


def test_every_text_and_document_that_is_stored_has_a_bound() -> None:
    columns = [column for column in stored_texts() if not column.computed]
    unbounded = {
        str(column)
        for column in columns
        if "check" not in column.info
        and not (column.name in IN_ITEMS and isinstance(column.type, JSONB))
    }

    assert len(columns) > 60
    assert unbounded == MADE


def test_the_bound_of_every_text_is_kept() -> None:
    """And that of each text in a list, and of a list."""
    for column in stored_texts():
        if (own := column.info.get("check")) and own.most:
            long = "x" * (own.most + 1)
            assert any(own.faults([long] if isinstance(column.type, ARRAY) else long)), column
        if own and isinstance(column.type, ARRAY):
            assert any(own.faults(["x"] * 1_001)), column


def test_no_type_is_looked_up_for_each_value() -> None:
    """Strawberry compares files on disk to find a type that is named lazily."""
    waiting, seen = [declared(item).type for _, _, item in inputs()], 0
    while waiting:
        type_ = waiting.pop()
        seen += 1
        assert not isinstance(type_, LazyType), type_
        waiting += [inner] if (inner := getattr(type_, "of_type", None)) else []
    assert seen > 500


def indexed(table: Any) -> Iterator[list[Any]]:
    """The texts of each index of a table, and of each key that has one."""
    constraints = table.__table__.constraints
    keys = [key for key in constraints if isinstance(key, PrimaryKeyConstraint | UniqueConstraint)]
    for index in (*table.__table__.indexes, *keys):
        yield [column for column in index.columns if isinstance(column.type, Text | ARRAY)]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_a_text_that_is_indexed_fits_into_its_index(table: Any) -> None:
    for columns in indexed(table):
        checks = [column.info.get("check") for column in columns if str(column) not in OWN]
        assert all(check and check.most for check in checks), columns
        assert sum(check.most for check in checks) * CHARACTER_BYTES < INDEX_BYTES, columns
