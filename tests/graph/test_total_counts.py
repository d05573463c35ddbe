"""Total counts: exact up to a bound, by one bounded statement for both fields."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, text

from db import Database
from db.ai_tests import AiTest
from db.core.ids import floor
from db.core.query.counting import MAX_COUNT
from db.core.values import json
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from graph.schema import schema
from support.executors import PLANS_ARE_OFF
from support.factories import make_dream
from support.query_count import statements

EXECUTORS = ["core"] if PLANS_ARE_OFF else ["plan", "core"]
WHOLE = "{ aiTests(first: 1) { totalCount totalCountIsExact nodes { id } } }"
OF_DREAMS = "{ dreams { nodes { title tests(first: 0) { totalCount totalCountIsExact } } } }"
FILL = text("""
insert into ai_tests (id, dream_id, provider, model, created_at)
select cast(:prefix || lpad(to_hex(n), 12, '0') as uuid), :dream, 'p', 'm', now()
from generate_series(1, :number) as n
""")


@pytest.fixture
def ask(database: Database) -> Callable[..., Any]:
    async def ask(document: str, executor: Any, who: Principal = DEVELOPER) -> Any:
        context = Context(database, who, "request", executor=executor)
        return json.loads((await execute(prepare(schema, document), None, context)).body)["data"]

    return ask


@pytest.mark.parametrize("executor", EXECUTORS)
async def test_lists_are_counted_up_to_a_bound(
    database: Database, ask: Callable[..., Any], executor: str
) -> None:
    full = await make_dream(database, title="full")
    await make_dream(database, title="empty")
    prefix = str(floor(await database.now()))[:24]
    async with database.write() as session:
        values = {"prefix": prefix, "dream": full.id, "number": MAX_COUNT + 2}
        await session.execute(FILL.bindparams(**values))

    with statements(database, exactly=2) as seen:
        over = await ask(WHOLE, executor)
    over_of_dreams = await ask(OF_DREAMS, executor)
    async with database.write() as session:
        await session.execute(delete(AiTest).where(AiTest.id > f"{prefix}{MAX_COUNT:012x}"))
    full_to_the_bound = await ask(WHOLE, executor)
    of_dreams = await ask(OF_DREAMS, executor)

    assert over["aiTests"]["totalCount"] == MAX_COUNT
    assert over["aiTests"]["totalCountIsExact"] is False
    assert "LIMIT" in seen[1].upper()
    assert _counts(over_of_dreams) == {"full": (MAX_COUNT, False), "empty": (0, True)}
    assert full_to_the_bound["aiTests"]["totalCount"] == MAX_COUNT
    assert full_to_the_bound["aiTests"]["totalCountIsExact"] is True
    assert _counts(of_dreams) == {"full": (MAX_COUNT, True), "empty": (0, True)}


@pytest.mark.parametrize("executor", EXECUTORS)
async def test_hidden_rows_are_not_counted(
    database: Database, ask: Callable[..., Any], executor: str
) -> None:
    await make_dream(database, title="hidden", is_public=False)
    await make_dream(database, title="public")

    seen = await ask("{ dreams { totalCount totalCountIsExact } }", executor, ANONYMOUS)

    assert seen == {"dreams": {"totalCount": 1, "totalCountIsExact": True}}


def _counts(data: Any) -> dict[str, tuple[int, bool]]:
    return {
        dream["title"]: (dream["tests"]["totalCount"], dream["tests"]["totalCountIsExact"])
        for dream in data["dreams"]["nodes"]
    }
