"""Loaders: what they load, whose they are, and how few statements a whole query needs."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry

from db import Database
from db.ai_models import AiModel
from db.dreams import Dream
from graph.core.context import Context, Info
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.loader import Many, One
from graph.core.permission import PUBLIC
from graph.core.principal import ANONYMOUS, DEVELOPER
from graph.core.types.field import field
from graph.core.types.node import global_id
from graph.schema import schema
from graph.users import UserById
from support.factories import make_ai_model, make_ai_test, make_dream, make_progress_log, make_user
from support.query_count import statements

Data = Callable[..., Awaitable[Any]]

THREE_LEVELS = """query ($first: Int) {
    dreams(first: $first) {
        nodes {
            title
            owner { passportTier }
            tests(first: 5) { nodes { model impossibilityScore dream { title } } }
            latestProgress { averageImpossibility }
        }
    }
}"""


class DreamsByUser(Many):
    table = Dream
    columns = (Dream.user_id,)
    order = (Dream.title,)


class AiModelByName(One):
    table = AiModel
    columns = (AiModel.provider, AiModel.name)


async def which(info: Info) -> int:
    return id(UserById.of(info))


@strawberry.type
class Query:
    """A schema that tells one loader from another."""

    loader: float = field("Which loader is used.", PUBLIC, which)


own = strawberry.Schema(query=Query)


def operation(database: Database) -> Any:
    return SimpleNamespace(context=Context(database, DEVELOPER, "test-request"))


async def test_many_loads_all_rows_of_all_parents_in_order(database: Database) -> None:
    ada, bob, nobody = [(await make_user(database)).id for _ in range(3)]
    for title, owner in (("b", ada), ("a", ada), ("c", bob)):
        await make_dream(database, title=title, user_id=owner)
    loader = DreamsByUser.of(operation(database))

    with statements(database, exactly=1):
        found = await asyncio.gather(*map(loader.load, (bob, nobody, ada)))

    assert [[dream.title for dream in dreams] for dreams in found] == [["c"], [], ["a", "b"]]


async def test_one_loads_by_a_key_of_several_columns(database: Database) -> None:
    model = await make_ai_model(database, provider="openai", name="gpt-5")
    await make_ai_model(database, provider="azure", name="gpt-5")
    loader = AiModelByName.of(operation(database))

    with statements(database, exactly=1):
        found = await asyncio.gather(
            loader.load(("openai", "gpt-5")), loader.load(("openai", "gpt-4"))
        )

    assert found == [model, None]


async def test_an_operation_has_one_loader_for_the_same_arguments(database: Database) -> None:
    info = operation(database)

    assert DreamsByUser.of(info) is DreamsByUser.of(info)
    assert DreamsByUser.of(info) is not DreamsByUser.of(operation(database))
    assert DreamsByUser.of(info, "argument") is not DreamsByUser.of(info)


async def test_loaders_belong_to_one_operation(database: Database) -> None:
    text = "{ one: loader other: loader }"

    context = Context(database, ANONYMOUS, "test-request", executor="core")
    first = await execute(prepare(own, text), None, context)
    other = await execute(prepare(own, text), None, Context(database, ANONYMOUS, "test-request"))

    assert first.data
    assert other.data
    assert len({*first.data.values()}) == len({*other.data.values()}) == 1
    assert [*context.loaders] == [(UserById,)]
    assert first.data != other.data


async def test_node_and_relations_share_the_loader_of_a_type(database: Database) -> None:
    owner = await make_user(database)
    await make_dream(database, user_id=owner.id)
    text = "query ($id: ID!) { node(id: $id) { id } dreams { nodes { owner { id } } } }"

    context = Context(database, DEVELOPER, "test-request", executor="core")

    with statements(database, exactly=2):  # users, dreams
        found = await execute(prepare(schema, text), {"id": global_id(owner)}, context)

    shown = {"id": global_id(owner)}
    assert found.data == {"node": shown, "dreams": {"nodes": [{"owner": shown}]}}


async def test_changes_between_two_operations_are_seen(database: Database, data: Data) -> None:
    dream = await make_dream(database)
    text = "query ($id: ID!) { dream(id: $id) { latestTest { model } } }"
    variables = {"id": global_id(dream)}

    with statements(database, exactly=4):
        before = await data(text, variables)
        after = await data(text, variables)

    assert before == after == {"dream": {"latestTest": None}}
    await make_ai_test(database, dream_id=dream.id, model="o3")
    assert await data(text, variables) == {"dream": {"latestTest": {"model": "o3"}}}


@pytest.mark.parametrize("dreams", [1, 20, 100])
async def test_three_levels_are_at_most_five_statements_for_any_number_of_rows(
    database: Database, data: Data, dreams: int
) -> None:
    async with database.write() as session:
        for number in range(dreams):
            owner = await make_user(session, passport_tier=f"tier {number}")
            dream = await make_dream(session, user_id=owner.id, title=f"Dream {number}")
            for test in range(6):
                await make_ai_test(session, dream_id=dream.id, model=f"m{test}")
            for average in (90, number % 100):
                await make_progress_log(session, dream_id=dream.id, average_impossibility=average)

    with statements(database, at_most=5):
        answer = await data(THREE_LEVELS, {"first": dreams})

    assert answer["dreams"]["nodes"] == [
        {
            "title": f"Dream {number}",
            "owner": {"passportTier": f"tier {number}"},
            "tests": {
                "nodes": [
                    {
                        "model": f"m{test}",
                        "impossibilityScore": 80.0,
                        "dream": {"title": f"Dream {number}"},
                    }
                    for test in (5, 4, 3, 2, 1)
                ]
            },
            "latestProgress": {"averageImpossibility": float(number)},
        }
        for number in reversed(range(dreams))
    ]
