"""Connections: pages of rows in the shape of the Relay cursor connections specification."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from db.core.query.counting import Counted, is_exact, total_count
from db.core.query.facets import FacetCount, FacetCounts
from db.core.query.keyset import Page, encode_values
from db.core.query.projection import Projection
from db.core.table import Table
from graph.core.execution.plan.run import Run, together
from graph.core.execution.plan.shapes import Shape, zipped

AnyPage = Page[Any]  # of rows of the driver, or of records
Cursor = Callable[[AnyPage, Any], str]


@dataclass(frozen=True, slots=True)
class Counts:
    """The number of rows of each parent, in all and by the values of a facet."""

    totals: Callable[[], Awaitable[list[Counted]]]
    facet: Callable[[str], Awaitable[list[FacetCounts]]]


class PagePart(Protocol):
    """One field of a connection: its value for each page, from `rows`, the rows of all pages."""

    async def values(
        self, run: Run, pages: Sequence[AnyPage], rows: Sequence[object], counts: Counts
    ) -> list[object]: ...


class ConnectionShape:
    """Connections made from pages; `parts` are their fields by response name."""

    def __init__(self, parts: Mapping[str, PagePart]) -> None:
        self.names = tuple(parts)
        self.parts = tuple(parts.values())
        self.more = 1 if any(isinstance(part, Info) for part in self.parts) else 0  # rows to read

    async def objects(self, run: Run, pages: Sequence[AnyPage], counts: Counts) -> list[object]:
        rows = [row for page in pages for row in page.records]
        values = await together([part.values(run, pages, rows, counts) for part in self.parts])
        return zipped(self.names, values, len(pages))


class Nodes:
    """The objects of each page."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    async def values(
        self, run: Run, pages: Sequence[AnyPage], rows: Sequence[object], _counts: Counts
    ) -> list[object]:
        return _by_page(pages, await self.shape.objects(run, rows))


class Edges:
    """The edges of each page; `parts` are a shape, a cursor or a constant by response name."""

    def __init__(self, parts: Mapping[str, Shape | Cursor | str]) -> None:
        self.parts = parts

    async def values(
        self, run: Run, pages: Sequence[AnyPage], rows: Sequence[object], _counts: Counts
    ) -> list[object]:
        columns = [await _column(part, run, pages, rows) for part in self.parts.values()]
        return _by_page(pages, zipped(self.parts, columns, len(rows)))


async def _column(
    part: Shape | Cursor | str, run: Run, pages: Sequence[AnyPage], rows: Sequence[object]
) -> list[object]:
    if isinstance(part, str):
        return [part] * len(rows)
    if callable(part):
        return [part(page, row) for page in pages for row in page.records]
    return await part.objects(run, rows)


class Info:
    """The `PageInfo` of each page; `fields` are functions of the page by response name."""

    def __init__(self, fields: Mapping[str, Callable[[AnyPage], object]]) -> None:
        self.fields = fields

    async def values(
        self, _run: Run, pages: Sequence[AnyPage], _rows: Sequence[object], _counts: Counts
    ) -> list[object]:
        return [{name: shown(page) for name, shown in self.fields.items()} for page in pages]


class Total:
    """What `shown` makes of the number of rows in all pages of each parent."""

    def __init__(self, shown: Callable[[Counted], object]) -> None:
        self.shown = shown

    async def values(
        self, _run: Run, _pages: Sequence[AnyPage], _rows: Sequence[object], counts: Counts
    ) -> list[object]:
        return [self.shown(counted) for counted in await counts.totals()]


TOTALS = {"totalCount": Total(total_count), "totalCountIsExact": Total(is_exact)}


FacetFields = Mapping[str, Callable[[FacetCount], object]]  # by response name
FACET: FacetFields = {
    "value": lambda facet: facet.value,
    "count": lambda facet: total_count(facet.counted),
    "countIsExact": lambda facet: is_exact(facet.counted),
}


def facet_fields(type_name: str) -> FacetFields:
    return {**FACET, "__typename": lambda _: type_name}


class Facets:
    """The facets of each page; `parts` are the name of a facet with its fields, or a constant, by
    response name."""

    def __init__(self, parts: Mapping[str, tuple[str, FacetFields] | str]) -> None:
        self.parts = parts

    async def values(
        self, _run: Run, pages: Sequence[AnyPage], _rows: Sequence[object], counts: Counts
    ) -> list[object]:
        columns = await together([_facet(part, counts, pages) for part in self.parts.values()])
        return zipped(self.parts, columns, len(pages))


async def _facet(
    part: tuple[str, FacetFields] | str, counts: Counts, pages: Sequence[AnyPage]
) -> list[object]:
    if isinstance(part, str):
        return [part] * len(pages)
    name, fields = part
    return [
        [{key: shown(facet) for key, shown in fields.items()} for facet in some]
        for some in await counts.facet(name)
    ]


class Constant:
    """The same for all pages."""

    def __init__(self, value: object) -> None:
        self.value = value

    async def values(
        self, _run: Run, pages: Sequence[AnyPage], _rows: Sequence[object], _counts: Counts
    ) -> list[object]:
        return [self.value] * len(pages)


def cursor_of_record(page: AnyPage, record: Table) -> str:
    return page.cursor(record)


def cursor_of_row(projection: Projection) -> Cursor:
    def cursor(page: AnyPage, row: Any) -> str:  # a row of the driver
        start = len(projection)
        return encode_values(page.order, row[start : start + len(page.order)])

    return cursor


def page_info(cursor: Cursor) -> Mapping[str, Callable[[AnyPage], object]]:
    def of_row(page: AnyPage, place: int) -> str | None:
        return cursor(page, page.records[place]) if page.records else None

    return {
        "hasNextPage": lambda page: page.has_next,
        "hasPreviousPage": lambda page: page.has_previous,
        "startCursor": lambda page: page.start or of_row(page, 0),
        "endCursor": lambda page: page.end or of_row(page, -1),
        "__typename": lambda _: "PageInfo",
    }


def _by_page(pages: Sequence[AnyPage], objects: list[object]) -> list[object]:
    if len(pages) == 1:
        return [objects]
    lists: list[object] = []
    start = 0
    for page in pages:
        lists.append(objects[start : start + len(page.records)])
        start += len(page.records)
    return lists
