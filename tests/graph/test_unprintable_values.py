"""A value that a resolver returns by mistake, and no response can hold, is a masked error."""

from decimal import Decimal

import pytest
import strawberry
from strawberry.scalars import JSON
from strawberry.schema.config import StrawberryConfig
from structlog.testing import capture_logs

from db import Database
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.permission import PUBLIC
from graph.core.principal import ANONYMOUS
from graph.core.types.errors import MASKED
from graph.core.types.field import field
from graph.core.types.scalars import BigInt, scalars


@strawberry.type
class Query:
    document: JSON = field("No JSON.", PUBLIC, lambda: {"a": {1, 2}})
    half: str = field("Half of a surrogate pair.", PUBLIC, lambda: "\ud800")
    number: BigInt = field("No whole number.", PUBLIC, lambda: Decimal("1.5"))
    amount: Decimal = field("No number.", PUBLIC, lambda: Decimal("NaN"))
    share: float | None = field("No number.", PUBLIC, lambda: float("inf"))


unprintable = strawberry.Schema(query=Query, config=StrawberryConfig(scalar_map=scalars))


@pytest.mark.parametrize("name", ["document", "half", "number", "amount", "share"])
async def test_a_value_that_cannot_be_printed_is_masked(database: Database, name: str) -> None:
    context = Context(database, ANONYMOUS, "request-7")
    with capture_logs() as lines:
        answer = await execute(prepare(unprintable, f"{{ {name} }}"), None, context)

    [failure] = answer.errors
    assert failure["message"] == MASKED
    assert failure["extensions"] == {"code": "INTERNAL_SERVER_ERROR", "requestId": "request-7"}
    assert answer.data == (None if name != "share" else {"share": None})
    assert [line["event"] for line in lines] == ["resolver failed"]
    assert MASKED.encode() in answer.body
