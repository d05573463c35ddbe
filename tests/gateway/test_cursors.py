"""Cursors: a list continues after one of its own, and refuses any other text."""

import base64
import json
from itertools import cycle
from typing import Any

import pytest

from db import Database
from support.factories import (
    START,
    make_agent,
    make_ai_model,
    make_ai_test,
    make_config_entry,
    make_dream,
)
from support.graphql_client import Endpoint, codes

REFUSED = "This cursor does not belong to a list in this order."
TOO_LONG = "This text must have 0 to 4,096 characters."
LISTS = {
    "dreams": ["CREATED_AT", "UPDATED_AT", "TITLE", "CATEGORY", "STATUS"],
    "aiTests": ["CREATED_AT", "IMPOSSIBILITY_SCORE", "DURATION_MS", "COST"],
    "aiModels": ["MAX_TOKENS", "COST_PER_1K_TOKENS", "NAME"],
    "agents": ["LAST_ACTIVE", "KEY"],
    "configs": ["KEY", "CATEGORY", "UPDATED_AT"],
}
STRAYS: list[Any] = [
    *(None, True, False, 0, 5, -1, 1.5, 2**63, 2**64, 10**40, 1e308),
    *("", "x", "\0", "0" * 4_000, "1", "1E+131072", "1E-131072", "NaN", "sNaN", "Infinity"),
    *("2026-01-15", "2026-01-15T12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"),
    *("018d0a2f-0000-7000-8000-000000000000", [], [1], {}, {"a": 1}, [[]], "[" * 900),
]


def packed(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def unpacked(cursor: str) -> list[Any]:
    content: list[Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return content


async def page(endpoint: Endpoint, name: str, by: str, **window: Any) -> Any:
    order = name[0].upper() + name[1:-1]
    kind = "ConfigEntry" if name == "configs" else order
    document = f"""query ($by: [{kind}Order!], $after: String, $before: String) {{
        {name}(orderBy: $by, after: $after, before: $before) {{ edges {{ cursor }} }} }}"""
    return await endpoint.answer(document, {"by": [{"field": by}], **window})


@pytest.fixture
async def rows(database: Database) -> None:
    """One row of each kind, with a value in each column that lists are ordered by."""
    await make_ai_test(database, dream_id=(await make_dream(database)).id)
    await make_ai_model(database)
    await make_agent(database, created_at=START)
    await make_config_entry(database)


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize(("name", "by"), [(n, by) for n, orders in LISTS.items() for by in orders])
async def test_a_cursor_with_other_values_is_refused_or_a_place_in_the_list(
    endpoint: Endpoint, name: str, by: str
) -> None:
    [edge] = (await page(endpoint, name, by))["data"][name]["edges"]
    fingerprint, *values = unpacked(edge["cursor"])
    strays = [
        [fingerprint, *values[:place], stray, *values[place + 1 :]]
        for place in range(len(values))
        for stray in STRAYS
    ]
    shapes = [[], [fingerprint], [fingerprint, *values, None], {"a": 1}, 5, None, "x"]

    for content, side in zip([*strays, *shapes], cycle(["after", "before"]), strict=False):
        answer = await page(endpoint, name, by, **{side: packed(content)})
        if codes(answer):
            assert codes(answer) == ["BAD_USER_INPUT"], (content, answer)
            expected = REFUSED if len(packed(content)) <= 4096 else TOO_LONG
            assert answer["errors"][0]["message"] == expected, (content, answer)

    assert codes(await page(endpoint, name, by, after=packed([fingerprint, *values]))) == []


@pytest.mark.parametrize("stray", [5, True, [1], None])
async def test_an_id_in_a_cursor_is_a_text(
    database: Database, endpoint: Endpoint, stray: Any
) -> None:
    await make_dream(database)
    [edge] = (await page(endpoint, "dreams", "CREATED_AT"))["data"]["dreams"]["edges"]
    fingerprint, _ = unpacked(edge["cursor"])

    answer = await page(endpoint, "dreams", "CREATED_AT", after=packed([fingerprint, stray]))

    assert codes(answer) == ["BAD_USER_INPUT"]
