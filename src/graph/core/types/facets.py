"""Facets: the number of items of a list by the values of a field, for menus and counters."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from db.core.query.counting import MAX_COUNT, is_exact, total_count
from db.core.query.facets import FacetCounts
from graph.core.types.declared import FacetField
from graph.core.types.field import field, value

C = TypeVar("C", bound=StrEnum)
E = TypeVar("E")
T = TypeVar("T")


class Faceted(Protocol):
    """The source of facets: what counts a list by the values of a column."""

    facet: Callable[[str], Awaitable[FacetCounts]]


@value
class Facet(Generic[E]):
    """The items of a list with one value of a field."""

    value: E = field("The value.")
    count: int = field(
        f"Number of items with the value, or {MAX_COUNT:,} if there are more: see `countIsExact`.",
        resolver=lambda root: total_count(root.counted),
    )
    count_is_exact: bool = field(
        f"Whether `count` is the number of all items with the value. False if there are more than "
        f"{MAX_COUNT:,}.",
        resolver=lambda root: is_exact(root.counted),
    )


def facet(name: str, choices: type[C]) -> list[Facet[C]]:
    """A field with the facets of a column of the listing, one for each choice."""

    async def resolve(root: Faceted) -> FacetCounts:
        return await root.facet(name)

    description = f"Number of items by `{name}`: one for each of its values, also without items."
    cost = 5 * len(choices)
    shown: list[Facet[C]] = field(description, resolver=resolve, cost=cost, shows=FacetField(name))
    return shown


def facets(_of: type[T]) -> T:
    """A field of a connection with the facets of its list."""
    shown: T = field(
        "Numbers of items in the list by the values of some fields, with the same filter and "
        "search, whatever the page. Counted only if selected.",
        resolver=lambda root: root,
        cost=0,
    )
    return shown
