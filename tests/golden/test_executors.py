"""Executors: a plan answers every query exactly as graphql-core does, to every kind of caller."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import pytest
from graphql import GraphQLSchema
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from sqlalchemy import select

from db import Database
from db.core.table import Table
from db.users import Role
from golden import world
from graph.core.context import Context
from graph.core.execution.bounds import Limits
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.principal import ANONYMOUS, Principal
from graph.core.types import node
from graph.schema import schema
from support import random_rows
from support.databases import drop_database
from support.executors import needs_plans
from support.random_operations import Generator, Operation

pytestmark = needs_plans
GOLDEN = sorted(Path(__file__).parent.rglob("*.graphql"))
CASES = int(os.environ.get("ORACLE_CASES", "80"))
ATTEMPTS = 3
NO_LIMITS = Limits(*(0,) * 11)
graph_schema: GraphQLSchema = schema._schema


class World:
    """A database with rows of every noun, and callers of every kind."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.database = Database(url)
        self.database.clock.ticks = lambda: 0.0  # the same moment for both executors
        self.loop.run_until_complete(random_rows.hold(self.database, random_rows.World(1)))
        self.ids = self.loop.run_until_complete(self._ids())
        users = [node.parse_id(id)[1] for id in self.ids["User"]]
        self.callers = {
            "anonymous": ANONYMOUS,
            "member": Principal(users[0], Role.MEMBER),
            "other member": Principal(users[1], Role.MEMBER),
            "operator": Principal(users[1], Role.OPERATOR),
            "administrator": Principal(users[-1], Role.ADMIN),
            "key": Principal(users[0], Role.OPERATOR, scopes=frozenset({"dreams:read"})),
        }

    async def _ids(self) -> Mapping[str, Sequence[str]]:
        tables = [mapper.class_ for mapper in Table.registry.mappers]
        async with self.database.read() as session:
            return {
                table.Record.__name__: [
                    node.id_of(table.Record, id)
                    for (id,) in await session.rows(select(table.id).order_by(table.id))
                ]
                for table in tables
                if table.Record in node._by_record
            }

    def answers(self, operation: Operation, principal: Principal) -> tuple[bytes, bytes]:
        """What a plan and what graphql-core answers. They are asked again if they differ: a busy
        machine may keep either waiting until a statement times out."""
        for _ in range(ATTEMPTS):
            plan, core = (
                self.loop.run_until_complete(self._answer(operation, principal, executor))
                for executor in ("plan", "core")
            )
            if plan == core:
                break
        return plan, core

    async def _answer(self, operation: Operation, principal: Principal, executor: str) -> bytes:
        context = Context(self.database, principal, "request", executor=executor)
        prepared = prepare(schema, operation.text, limits=NO_LIMITS)
        return (await execute(prepared, operation.variables, context)).body

    def close(self) -> None:
        self.loop.run_until_complete(self.database.close())
        self.loop.close()


@pytest.fixture(scope="module")
def everything(server_url: str, template_url: str) -> Iterator[World]:
    url = asyncio.run(world.stored(server_url, template_url))
    made = World(url)
    yield made
    made.close()
    asyncio.run(drop_database(server_url, url))


@settings(
    max_examples=CASES,
    deadline=None,
    derandomize="ORACLE_CASES" not in os.environ,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(random=st.randoms(use_true_random=True))
def test_both_executors_give_the_same_answer(everything: World, random: Random) -> None:
    operation = Generator(graph_schema, random, everything.ids).operation()

    for name, principal in everything.callers.items():
        plan, core = everything.answers(operation, principal)
        assert plan == core, f"{name}: {operation.text}\n{operation.variables}"


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_a_golden_operation_is_planned_whole(everything: World, case: Path) -> None:
    context = Context(everything.database, everything.callers["administrator"], "request")
    operation = prepare(schema, case.read_text(), limits=NO_LIMITS)

    everything.loop.run_until_complete(execute(operation, None, context))

    assert context.fallback is None
