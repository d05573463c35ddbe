"""Connections: paginated lists, in the shape of the Relay cursor connections specification.

`listed` declares a list of a whole table, `connected` the list that belongs to a parent. Their
arguments are derived from the listing: a filter, an order, a search if it has one, and page
arguments.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from inspect import Parameter, Signature
from typing import Any, Generic, Protocol, TypedDict, TypeVar, Unpack

from sqlalchemy import ColumnElement
from strawberry import UNSET

from db.core.query import looking
from db.core.query.counting import MAX_COUNT, Counted, is_exact, total_count
from db.core.query.facets import FacetCounts, facet_counts
from db.core.query.keyset import DEFAULT_SIZE, Page, PageArgs
from db.core.query.listing import ListArgs, ListSpec
from db.core.table import Table
from db.core.values import validation
from db.core.values.validation import Check
from graph.core.context import Info
from graph.core.loader import Counts, Facets, Pages
from graph.core.once import once
from graph.core.permission import Access
from graph.core.types.annotations import annotated, forward_reference, many, optional
from graph.core.types.declared import ConnectedField, Declared, ListedField
from graph.core.types.field import Revealed, argument, field, value
from graph.core.types.filter import Direction, condition

T = TypeVar("T")

SEARCH = (
    "Full-text search in English. Word endings and case are ignored: `folded` finds `folding`. "
    '`protein folding` finds items with both words in any order; `"protein folding"` with the '
    "words side by side; `protein or folding` with one of them; `protein -folding` without the "
    "second (websearch_to_tsquery of PostgreSQL). Words such as `the` are ignored. A search "
    "without any other word, or an empty one, sets no condition."
)


@value
class PageInfo:
    """Information about pagination."""

    has_next_page: bool = field(
        "Whether there are more items after this page. With a filter that no index serves, a page "
        f"looks at {looking.LOOKED:,} items of the list at most, {looking.LOOKED_THROUGH:,} if the "
        f"filter is on a related item, {looking.LOOKED_THROUGH_MANY} if it is on many. Filtered "
        f"pages of several parents share {looking.LOOKED_BELOW:,}. Then a page may have fewer "
        "items than asked for, or none, and more may follow."
    )
    has_previous_page: bool = field("Whether there are more items before this page, likewise.")
    start_cursor: str | None = field(
        "Cursor of the first item on this page, or of the first one that was looked at. Null if "
        "the page is empty and whole."
    )
    end_cursor: str | None = field(
        "Cursor of the last item on this page, or of the last one that was looked at. Null if the "
        "page is empty and whole."
    )


@value
class Edge(Generic[T]):
    """An item of a list with its cursor."""

    cursor: str = field("Cursor of the item, for `after` and `before`.")
    node: T = field("The item.", cost=0)  # its edge costs the point


@dataclass(slots=True)
class ListSource:
    """The source of a connection: a page, and how to count the whole list and its facets."""

    page: Page[Table]
    count: Callable[[], Awaitable[Counted]]
    facet: Callable[[str], Awaitable[FacetCounts]]


async def _total_count(root: ListSource) -> int:
    return total_count(await root.count())


async def _is_exact(root: ListSource) -> bool:
    return is_exact(await root.count())


def _edges(root: ListSource) -> list[Edge[Table]]:
    return [Edge(cursor=root.page.cursor(row), node=row) for row in root.page.records]


def _page_info(root: ListSource) -> PageInfo:
    page, rows = root.page, root.page.records
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=page.start or (page.cursor(rows[0]) if rows else None),
        end_cursor=page.end or (page.cursor(rows[-1]) if rows else None),
    )


@value
class Connection(Generic[T]):
    """A page of a list."""

    nodes: list[T] = field("The items on this page.", resolver=lambda root: root.page.records)
    edges: list[Edge[T]] = field("The items on this page with their cursors.", resolver=_edges)
    page_info: PageInfo = field("Information about pagination.", resolver=_page_info, cost=0)
    total_count: int | None = field(
        f"Total number of items in the list, or {MAX_COUNT:,} if there are more. With a filter "
        f"that no index serves, of the first {looking.COUNTED:,} items of the list. See "
        "`totalCountIsExact`. Counted only if selected.",
        resolver=_total_count,
        cost=5,
    )
    total_count_is_exact: bool = field(
        "Whether `totalCount` is the number of all items. False if there are or may be more. "
        "Counted only if selected, together with `totalCount`.",
        resolver=_is_exact,
        cost=5,
    )


@dataclass(frozen=True, slots=True)
class Argument:
    """An optional argument of a connection."""

    name: str
    kind: object
    description: str
    reveals: Revealed | None = None
    check: Check | None = None
    cost: int = 0

    @property
    def parameter(self) -> Parameter:
        about = argument(self.description, self.check, cost=self.cost)
        described = annotated(optional(self.kind), about)
        return Parameter(self.name, Parameter.KEYWORD_ONLY, default=UNSET, annotation=described)


MAX_TERMS = 10  # of an order
MAX_SEARCH = 500  # characters
SEARCHING = 10  # points of a search
CURSOR = replace(validation.string(4_096, 0), said="")  # it holds a text of 500 characters at most


def _window(most: int) -> tuple[Argument, ...]:
    first = f"Number of items to return, 0 to {most:,}; {DEFAULT_SIZE} by default."
    last = f"Number of items to return from the end of the list, 0 to {most:,}."
    return (
        Argument("first", int, first),
        Argument("after", str, "Return items after this cursor.", check=CURSOR),
        Argument("last", int, last),
        Argument("before", str, "Return items before this cursor.", check=CURSOR),
    )


class OrderTerm(Protocol):
    """The input of one term of an order, derived from the listing."""

    field: Enum
    direction: Direction


class Arguments(TypedDict, total=False):
    """The arguments that every list has, without those that a client omitted."""

    filter: object
    order_by: Sequence[OrderTerm] | None
    search: str | None
    first: int | None
    after: str | None
    last: int | None
    before: str | None


def _arguments(listing: ListSpec) -> list[Argument]:
    noun, module = listing.table.__name__, f"graph.{listing.table.__module__.split('.')[1]}"
    made = []
    if listing.filters:
        kind = forward_reference(f"{noun}Filter", module)
        made.append(Argument("filter", kind, "Return only items that match this filter."))
    if listing.orders:
        orders = many(forward_reference(f"{noun}Order", module))
        order = "Sort order, most significant first; newest first by default."
        made.append(Argument("order_by", orders, order, check=validation.items(MAX_TERMS)))
    if listing.search is not None:
        bound = validation.string(MAX_SEARCH, 0)
        made.append(Argument("search", str, SEARCH, check=bound, cost=SEARCHING))
    return [*made, *_window(listing.most)]


Where = Callable[..., list[ColumnElement[bool]]]


def no_conditions(_info: Info) -> list[ColumnElement[bool]]:
    return []


def listed(
    listing: ListSpec,
    description: str,
    access: Access,
    *more: Argument,
    where: Where = no_conditions,
    stale_ok: bool | None = None,
) -> Any:  # as `field`
    """Declare a list of all rows of a listing, or of those that match the conditions of `where`.
    It is called with the operation's info and the value of each additional argument, None if
    omitted. `stale_ok` as in Declarations."""

    async def resolve(info: Info, **arguments: Unpack[Arguments]) -> ListSource:
        list_args = list_args_of(listing, arguments)
        conditions = where(info, *(arguments.get(argument.name) for argument in more))
        db = info.context.db

        async def count() -> Counted:
            async with db.read() as session:
                return await looking.count(session, listing, list_args, *conditions)

        async def facet(name: str) -> FacetCounts:
            async with db.read() as session:
                return await facet_counts(session, listing, name, list_args, *conditions)

        async with db.read() as session:
            looked = await looking.within_look(session, listing, list_args, *conditions)
            page = await listing.page(session, looked, *conditions)
        return ListSource(page, once(count), facet)

    is_plain = where is no_conditions and not more
    shows = ListedField(listing) if is_plain else None
    return _field_with_arguments(
        listing, resolve, description, access, shows, *more, stale_ok=stale_ok
    )


def connected(
    pages: type[Pages], *keys: str, description: str, access: Access | None = None
) -> Any:  # as `field`
    """Declare the list of rows that belong to a parent, whose key is in the named columns."""

    async def resolve(root: object, info: Info, **arguments: Unpack[Arguments]) -> ListSource:
        list_args = list_args_of(pages.listing, arguments)
        values = tuple(getattr(root, name) for name in keys)
        key = values if len(values) > 1 else values[0]
        page = await pages.of(info, list_args).load(key)
        return ListSource(
            page,
            lambda: Counts.of(info, pages, list_args).load(key),
            lambda name: Facets.of(info, pages, name, list_args).load(key),
        )

    shows = None if pages.of_visible_parents else ConnectedField(pages, keys)
    return _field_with_arguments(pages.listing, resolve, description, access, shows)


def _field_with_arguments(
    listing: ListSpec,
    resolve: Callable[..., object],
    description: str,
    access: Access | None,
    shows: Declared | None,
    *more: Argument,
    stale_ok: bool | None = None,
) -> object:
    given = [name for name in Signature.from_callable(resolve).parameters if name != "arguments"]
    fixed = [
        Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, annotation=_FIXED[name]) for name in given
    ]
    taken = [argument.parameter for argument in (*more, *_arguments(listing))]
    resolve.__signature__ = Signature([*fixed, *taken])  # type: ignore[attr-defined]  # PEP 362
    reveals = {argument.name: argument.reveals for argument in more if argument.reveals}
    return field(
        description,
        access,
        resolve,
        reveals=reveals,
        listing=listing,
        shows=shows,
        stale_ok=stale_ok,
    )


_FIXED = {"root": object, "info": Info}


def list_args_of(listing: ListSpec, arguments: Arguments) -> ListArgs:
    """The arguments of a list field. Raises Invalid."""
    page_args = PageArgs(
        arguments.get("first"),
        arguments.get("after"),
        arguments.get("last"),
        arguments.get("before"),
        listing.most,
    )
    order = tuple(
        (term.field.name, term.direction is Direction.DESC)
        for term in arguments.get("order_by") or ()
    )
    where = condition(listing, arguments.get("filter"))
    return ListArgs(where, arguments.get("search"), order, page_args)
