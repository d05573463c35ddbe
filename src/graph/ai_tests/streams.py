"""Streams: the tests of one dream."""

from dataclasses import dataclass

import strawberry

import db
from graph.ai_tests.types import READ, AiTest
from graph.core.context import Info
from graph.core.subscriptions.source import Source, Update, message, rows, stream
from graph.core.subscriptions.table_source import ChildTableSource
from graph.dreams import DreamId, followed


@message()
class AiTestsUpdate(Update):
    """What tests of a dream are now."""

    tests: list[AiTest] = rows(
        "The tests that were started, ended or recorded, as they are now; none in a SNAPSHOT."
    )


@dataclass(frozen=True, slots=True)
class AiTests(ChildTableSource):
    """The tests of one dream, as long as it is seen."""

    table = db.ai_tests.AiTest


@strawberry.type
class Subscriptions:
    @stream(
        AiTestsUpdate,
        "The tests of a dream as they are started, ended and recorded.",
        READ,
        reveals={"dreamId": db.ai_tests.AiTest.dream_id},
    )
    async def ai_tests(self, info: Info, dream_id: DreamId) -> Source:
        return AiTests(await followed(info, dream_id))
