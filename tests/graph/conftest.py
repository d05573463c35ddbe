"""Running operations without HTTP, on a database of the test's own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from db import Database
from db.core.values import json
from db.users import Role
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.principal import DEVELOPER, Principal
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.schema import schema
from support.ai_tests import Write, write
from support.factories import make_dream, make_user
from support.ingestion import Send, reporting
from support.mutations import Run, result
from support.payloads import outcome_of
from support.subscriptions import Follow, following


@pytest.fixture
def run(database: Database) -> Run:
    """`await run(text, variables, who)`: the result of an operation, by default for the
    developer."""

    async def run(
        text: str, variables: dict[str, Any] | None = None, who: Principal = DEVELOPER
    ) -> OperationResult:
        context = Context(database, who, "test-request")
        result = await execute(prepare(schema, text), variables, context)
        return replace(result, data=json.loads(result.body).get("data"))  # as a client sees it

    return run


@pytest.fixture
def data(run: Run) -> Callable[..., Awaitable[Any]]:
    """`await data(text, variables)`: the data of an operation that has no errors."""

    async def data(text: str, variables: dict[str, Any] | None = None) -> Any:
        answer = await run(text, variables)
        assert answer.errors == []
        return answer.data

    return data


@pytest.fixture
async def ada(database: Database) -> Principal:
    """A member."""
    return Principal((await make_user(database)).id, Role.MEMBER)


@pytest.fixture
async def bob(database: Database) -> Principal:
    """Another member."""
    return Principal((await make_user(database)).id, Role.MEMBER)


@pytest.fixture
async def dream(database: Database, ada: Principal) -> Any:
    """A dream of Ada's."""
    return await make_dream(database, user_id=ada.user_id, title="Fly")


@pytest.fixture
def write_test(run: Run, ada: Principal) -> Write:
    """`await write_test("startAiTest", input)`: the result of a mutation, by default for Ada."""
    return partial(write, run, who=ada)


@pytest.fixture
async def send(database: Database) -> AsyncIterator[Send]:
    """`await send("logEvent", input, who)`: the response to a mutation that stores rows in
    batches."""
    async with reporting(database) as send:
        yield send


@pytest.fixture
def done(send: Send) -> Callable[..., Awaitable[Any]]:
    """`await done("logEvent", input, who)`: what such a mutation shows, or its first error."""

    async def done(verb: str, input: dict[str, Any], who: Principal = DEVELOPER) -> Any:
        return outcome_of(result(await send(verb, input, who)))

    return done


@pytest.fixture
def live(database: Database) -> SubscriptionBroker:
    return SubscriptionBroker(database)


@pytest.fixture
async def follow(live: SubscriptionBroker) -> AsyncIterator[Follow]:
    """`await follow(text, variables, who, after)`: a subscriber."""
    async with following(live) as follow:
        yield follow
