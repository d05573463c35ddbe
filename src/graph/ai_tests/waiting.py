"""Waiting: the subscription of workers to tests that wait, across dreams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET

import db
from db.ai_tests import AiTestStatus
from db.core.query.batch import ById
from db.core.session.coalescing import ReadCoalescer
from db.core.session.row_rules import Visibility
from db.core.values import validation
from graph.ai_tests.queue import WORK, Models, limited_to
from graph.ai_tests.types import AiTest
from graph.core.context import Info
from graph.core.subscriptions.source import Update, among, message, rows, stream
from graph.core.subscriptions.table_source import TableSource
from graph.core.types.field import argument


@message()
class WaitingAiTestsUpdate(Update):
    """Tests that began to wait for a worker."""

    tests: list[AiTest] = rows("The tests. Empty in a SNAPSHOT: claim the tests that wait then.")


@dataclass(frozen=True, slots=True)
class Waiting(TableSource[db.ai_tests.AiTest]):
    """Tests that wait, of any dream that the subscriber may work on."""

    table = db.ai_tests.AiTest
    providers: frozenset[str] | None
    models: frozenset[str] | None
    owner_id: UUID | None

    def matches(self, row: db.ai_tests.AiTest) -> bool:
        named = self.providers is None or row.provider in self.providers
        of_model = self.models is None or row.model in self.models
        return row.status == AiTestStatus.PENDING and named and of_model

    async def matching(
        self,
        rows: Sequence[db.ai_tests.AiTest],
        coalescer: ReadCoalescer,
        visibility: Visibility,
    ) -> Sequence[db.ai_tests.AiTest]:
        waiting = [row for row in rows if self.matches(row)]
        queued = await coalescer.of(
            ById(db.queue.QueuedAiTest), [row.id for row in waiting], visibility
        )
        waiting = [row for row in waiting if row.id in queued]
        if self.owner_id is None:
            return waiting
        ids = {row.dream_id for row in waiting}
        found = await coalescer.of(ById(db.dreams.Dream), ids, visibility)
        own = {id for id, dream in found.items() if dream.user_id == self.owner_id}
        return [row for row in waiting if row.dream_id in own]


Providers = Annotated[
    list[str] | None,
    argument(
        "Follow only tests of models of these providers.",
        validation.each(50, validation.PROVIDER),
    ),
]
Names = Annotated[
    list[str] | None, argument("Follow only tests of models with these names.", Models)
]


@strawberry.type
class Subscriptions:
    @stream(
        WaitingAiTestsUpdate,
        "Tests of all dreams that the viewer may work on, when they begin to wait for a worker. A "
        "test whose last attempt failed is sent at once, and may be claimed when its `queue` says "
        "so.",
        WORK,
        reveals={"providers": db.ai_tests.AiTest.provider, "models": db.ai_tests.AiTest.model},
    )
    async def waiting_ai_tests(
        self, info: Info, providers: Providers = UNSET, models: Names = UNSET
    ) -> Waiting:
        return Waiting(among(providers), among(models), limited_to(info))
