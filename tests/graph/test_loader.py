"""The bases of loaders, on loaders of the test's own."""

import asyncio
from types import SimpleNamespace
from typing import Any

from counting import statements
from db import Database
from db.ai_models import AiModel
from db.dreams import Dream
from factories import make_ai_model, make_dream, make_user
from graph.core.context import Context
from graph.core.loader import Many, One
from graph.core.permission import DEVELOPER


class DreamsByUser(Many):
    table = Dream
    columns = (Dream.user_id,)
    order = (Dream.title,)


class AiModelByName(One):
    table = AiModel
    columns = (AiModel.provider, AiModel.name)


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
