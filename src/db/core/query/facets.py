"""Facets: the number of rows of a list with each value of a column.

Each value is counted as the whole list would be: no further than MAX_COUNT + 1 rows, under the same
conditions and row rules.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Text, func, literal, literal_column, select, true, union_all

from db.core.query.batch import Columns, Key, matches, requested_keys
from db.core.query.counting import Counted, counted_rows
from db.core.query.listing import ListArgs, ListSpec
from db.core.query.looking import counted_within
from db.core.session.database import ReadSession
from db.core.table import AnySelect
from db.core.timeouts import Kind, of_kind


@dataclass(frozen=True, slots=True)
class FacetCount:
    """A value of a column and the number of rows with it."""

    value: str
    counted: Counted


FacetCounts = Sequence[FacetCount]


async def facet_counts(
    session: ReadSession,
    listing: ListSpec,
    name: str,
    slice: ListArgs,
    *conditions: ColumnElement[bool],
) -> FacetCounts:
    """The rows of a list by each value of a facet, in the order in which its choices are
    declared."""
    parts = []
    all_rows, limits = await counted_within(session, listing, slice, *conditions)
    for value, is_value in _choices(listing, name):
        where = (is_value, *conditions, *listing.conditions(all_rows), *limits)
        counted = counted_rows(listing.table, *where).subquery("counted")
        count = select(func.count()).select_from(counted).scalar_subquery()
        parts.append(select(literal(value, Text), count))
    rows = await session.rows(of_kind(Kind.AGGREGATE, _all(parts)))
    return _in_order(listing, name, dict(map(tuple, rows)), is_whole=not limits)


async def facet_counts_by_parent(
    session: ReadSession,
    listing: ListSpec,
    name: str,
    slice: ListArgs,
    parent: Columns,
    keys: Sequence[Key],
) -> dict[Key, FacetCounts]:
    """`facet_counts` of the rows of each parent."""
    parts = []
    for value, is_value in _choices(listing, name):
        asked = requested_keys(parent, keys)
        where = (is_value, *matches(parent, asked), *listing.conditions(slice))
        page = counted_rows(listing.table, *where).lateral("counted")
        counts = select(asked.c.position, literal(value, Text), func.count())
        parts.append(counts.join_from(asked, page, true()).group_by(asked.c.position))
    found: dict[Key, dict[str, int]] = {key: {} for key in keys}
    for position, value, count in await session.rows(of_kind(Kind.AGGREGATE, _all(parts))):
        found[keys[position - 1]][value] = count
    return {key: _in_order(listing, name, counts) for key, counts in found.items()}


def _choices(listing: ListSpec, name: str) -> Iterator[tuple[str, ColumnElement[bool]]]:
    """Constants, so that partial indexes serve them."""
    column = listing.facets[name]
    for choice in column.info["choices"]:
        yield choice.value, column == literal_column(f"'{choice.value}'", Text())


def _all(parts: Sequence[AnySelect]) -> AnySelect:
    rows = union_all(*parts).subquery("facet")
    return select(*rows.c)


def _in_order(
    listing: ListSpec, name: str, counts: dict[str, int], *, is_whole: bool = True
) -> FacetCounts:
    values = [choice.value for choice in listing.facets[name].info["choices"]]
    return [FacetCount(value, Counted(counts.get(value, 0), is_whole)) for value in values]
