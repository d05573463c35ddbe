"""Paging: lists asked for page by page, and pages as answers show them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from support.random_rows import Row, printed

Data = Callable[..., Awaitable[Any]]

PAGE = "nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
WINDOW = "$first: Int, $after: String, $last: Int, $before: String"
GIVEN = "first: $first, after: $after, last: $last, before: $before"
DREAMS = f"""query ($filter: DreamFilter, $orderBy: [DreamOrder!], {WINDOW}) {{
    page: dreams(filter: $filter, orderBy: $orderBy, {GIVEN}) {{ {PAGE} }} }}"""
TESTS = f"""query ($filter: AiTestFilter, $orderBy: [AiTestOrder!], {WINDOW}) {{
    page: aiTests(filter: $filter, orderBy: $orderBy, {GIVEN}) {{ {PAGE} }} }}"""
TESTS_OF_DREAMS = f"""query ($filter: AiTestFilter, $orderBy: [AiTestOrder!], {WINDOW}) {{
    dreams(first: 100) {{ nodes {{ id tests(filter: $filter, orderBy: $orderBy, {GIVEN}) {{
        {PAGE} }} }} }} }}"""


def page(
    rows: Sequence[Row], total: int, has_next: bool, has_previous: bool, cursors: Row
) -> dict[str, Any]:
    """A page as the answer shows it."""
    ids = [printed(row) for row in rows]
    return {
        "nodes": [{"id": id} for id in ids],
        "totalCount": total,
        "pageInfo": {
            "hasNextPage": has_next,
            "hasPreviousPage": has_previous,
            "startCursor": cursors[ids[0]] if ids else None,
            "endCursor": cursors[ids[-1]] if ids else None,
        },
    }


async def check_walks(data: Data, document: str, asked: Row, rows: list[Row], size: int) -> None:
    """All pages forward, then all pages backward, are the rows in their order."""
    cursors = await cursors_of(data, document, asked)
    assert list(cursors) == [printed(row) for row in rows]

    after = None
    for start in range(0, max(len(rows), 1), size):
        answer = await data(document, {**asked, "first": size, "after": after})
        more = start + size < len(rows)
        expected = rows[start : start + size]
        assert answer["page"] == page(expected, len(rows), more, after is not None, cursors)
        after = answer["page"]["pageInfo"]["endCursor"]

    before = None
    for end in range(len(rows), min(len(rows) - 1, 0), -size):
        answer = await data(document, {**asked, "last": size, "before": before})
        expected = rows[max(end - size, 0) : end]
        assert answer["page"] == page(expected, len(rows), before is not None, end > size, cursors)
        before = answer["page"]["pageInfo"]["startCursor"]


async def cursors_of(data: Data, document: str, asked: Row) -> dict[str, str]:
    """The cursor of each row of a list by its id, in the order of the list."""
    edges = document.replace("nodes { id }", "edges { cursor node { id } }")
    answer = await data(edges, {**asked, "first": 100})
    return {edge["node"]["id"]: edge["cursor"] for edge in answer["page"]["edges"]}
