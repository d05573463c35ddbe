"""Subscriptions: the tests of one dream."""

from dataclasses import dataclass

import strawberry

import db
from graph.ai_tests.types import READ, AiTest
from graph.core.context import Info
from graph.core.subscriptions.source import Update, message, rows, stream
from graph.core.subscriptions.table_source import ChildTableSource
from graph.dreams import DreamId, followed


@message()
class AiTestsUpdate(Update):
    """Changes to the tests of a dream."""

    tests: list[AiTest] = rows(
        "The tests that were started, ended or recorded, in their current state. Empty in a "
        "SNAPSHOT."
    )


@dataclass(frozen=True, slots=True)
class AiTests(ChildTableSource[db.ai_tests.AiTest]):
    """The tests of one dream, while the subscriber can see it."""

    table = db.ai_tests.AiTest


@strawberry.type
class Subscriptions:
    @stream(
        AiTestsUpdate,
        "Tests of a dream: an update whenever one is started, ended or recorded.",
        READ,
        reveals={"dreamId": db.ai_tests.AiTest.dream_id},
    )
    async def ai_tests(self, info: Info, dream_id: DreamId) -> AiTests:
        return AiTests(await followed(info, dream_id))
