"""Shared executions: queries that arrive in one turn of the event loop, executed as one.

Queries share an execution if they are the same operation with the same variables, of callers with
the same rights. A variable that is only the ID of the root field may differ: each query gets its
own object. An execution starts after all of its queries have arrived, so each sees what was written
before it. A query that comes alone does not wait for others; one that comes while others like it
are executed waits for the end of that, so that the next execution is for all that came meanwhile.

An execution for several users may not ask who the user is. If it does, it fails, and is from then
on shared within one user only. After any failure each query is executed alone.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, NoReturn
from uuid import UUID

import structlog
from graphql.execution.values import VariableValues

from db import Database
from db.core.connections.meter import Meter
from db.core.errors import Invalid, TooLarge
from db.core.values import json
from graph.core.execution.plan.plan import Plan, count
from graph.core.execution.plan.roots import RowById
from graph.core.execution.plan.run import Irregular, Run
from graph.core.principal import Client, Principal

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation

log = structlog.get_logger()

MAX_QUERIES = 100  # of one execution
MAX_BYTES = 1024 * 1024  # that one execution reads; larger ones are counted for their caller
SECONDS = 10.0
PATIENCE = 0.005  # seconds that queries wait for the end of the execution before theirs


class DependsOnUser(Irregular):
    """The execution asked for the user of the caller."""


class NotShared(Irregular):
    """The execution asked for something that only an execution alone has."""


class Group(NamedTuple):
    """Queries that callers with the same rights may execute together: those of one plan with the
    same values of variables. `object_id` is the ID of the root field `by_id`, which may differ."""

    plan: Plan
    values: tuple[Hashable, ...]
    by_id: RowById | None = None
    object_id: UUID | None = None


def group_of(operation: "Operation", variables: VariableValues) -> Group | None:
    """The group of a query; None if it is executed alone."""
    plan = operation.plans.ready(variables)
    if plan is None or plan.is_serial:
        return None
    by_id = plan.by_id
    try:
        if by_id is None or (object_id := by_id.own_id(variables)) is None:
            return Group(plan, tuple(_values(variables)))
        return Group(plan, tuple(_values(variables, by_id.id_variable)), by_id, object_id)
    except (Invalid, NotShared):
        return None


@dataclass(eq=False, slots=True)
class Query:
    """A query that was accepted. `done` is called with the response, or with None if the query has
    to be executed alone."""

    operation: "Operation"
    group: Group
    variables: VariableValues
    principal: Principal
    client: Client
    database: Database
    done: Callable[[bytes | None], None]

    def borrowed(self) -> Database:
        """The database, with the share of connections of the caller."""
        name, known = self.client.name, self.client.known
        return self.database.borrowed_by(name, self.operation.text, known)


class SharedRun(Run):
    """One execution for callers with the same rights; for those of one user if it
    `is_personal`."""

    def __init__(self, plan: Plan, query: Query, is_personal: bool) -> None:
        self.operation = query.operation
        self.variables = query.variables
        self.meter = Meter(MAX_BYTES)
        self.texts = Meter(MAX_BYTES) if plan.repeats else None
        self.database = query.borrowed().scoped_to(query.principal.visibility, Meter(MAX_BYTES))
        self.root = None
        self.resolved = {}
        self.may = query.principal.may
        if is_personal:
            self.user_id = query.principal.user_id

    def __getattr__(self, name: str) -> NoReturn:
        raise DependsOnUser(name) if name == "user_id" else NotShared(name)


@dataclass(slots=True)
class Batch:
    """Queries that share an execution."""

    plan: Plan
    by_id: RowById | None
    is_personal: bool
    queries: list[Query] = field(default_factory=list)
    is_started: bool = False

    async def execute(self) -> None:
        bodies: Sequence[bytes | None]
        try:
            async with asyncio.timeout(SECONDS):
                bodies = await self._bodies()
        except Exception as error:
            self._learn(error)
            bodies = [None] * len(self.queries)
        for query, body in zip(self.queries, bodies, strict=True):
            try:
                query.done(body)
            except Exception:  # must not keep back the others
                log.exception("a shared response was not sent")

    def _learn(self, error: Exception) -> None:
        if isinstance(error, DependsOnUser):
            self.plan.sharing.personal.add(self.queries[0].principal.kind)
        elif isinstance(error, NotShared | TooLarge):
            self.plan.sharing.is_possible = False

    async def _bodies(self) -> Sequence[bytes]:
        run = SharedRun(self.plan, self.queries[0], self.is_personal)
        if self.by_id is None:
            data = await self.plan.data(run)
            return [json.dumps({"data": data})] * len(self.queries)
        ids = [id for query in self.queries if (id := query.group.object_id) is not None]
        distinct = {id.int: id for id in ids}  # hashes of UUIDs take longer
        objects = await self.by_id.objects(run, list(distinct.values()))
        bodies = {id: self._body(run, shown) for id, shown in zip(distinct, objects, strict=True)}
        return [bodies[id.int] for id in ids]

    def _body(self, run: Run, value: object) -> bytes:
        data = dict.fromkeys(self.plan.roots, value)
        if self.plan.repeats:
            count(data, run.meter)
        return json.dumps({"data": data})


class SharedExecutions:
    """The executions in progress, and the queries that wait for the next one."""

    def __init__(self) -> None:
        self.waiting: dict[Hashable, Batch] = {}
        self.running: dict[asyncio.Task[None], Hashable] = {}
        self.busy: Counter[Hashable] = Counter()  # executions in progress, by kind of query

    def submit(self, query: Query) -> bool:
        """Execute a query with others. False, with nothing done, if it has to be executed alone."""
        plan, values, by_id, _ = query.group
        if not plan.sharing.is_possible:
            return False
        principal = query.principal
        is_personal = principal.kind in plan.sharing.personal
        user_id = principal.user_id if is_personal else None
        key = id(plan), values, by_id is None, principal.kind, is_personal, user_id
        batch = self.waiting.get(key)
        if batch is None:
            batch = self.waiting[key] = Batch(plan, by_id, is_personal)
            self._start_soon(key, batch)
        batch.queries.append(query)
        if len(batch.queries) == MAX_QUERIES:
            self._start(key, batch)
        return True

    def _start_soon(self, key: Hashable, batch: Batch) -> None:
        loop = asyncio.get_running_loop()
        if self.busy[key]:
            loop.call_later(PATIENCE, self._start, key, batch)
        else:
            loop.call_soon(self._start, key, batch)

    def _start(self, key: Hashable, batch: Batch) -> None:
        if batch.is_started:
            return
        batch.is_started = True
        del self.waiting[key]
        task = asyncio.create_task(batch.execute())
        self.running[task] = key
        self.busy[key] += 1
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        key = self.running.pop(task)
        self.busy[key] -= 1
        if not self.busy[key]:
            del self.busy[key]
            if batch := self.waiting.get(key):  # after clients that ask again at once were read
                asyncio.get_running_loop().call_soon(self._start, key, batch)


def _values(variables: VariableValues, id_variable: str | None = None) -> Iterator[Hashable]:
    """The variables except for that of the ID. Raises NotShared for a value that cannot be
    compared."""
    for name, value in variables.coerced.items():
        if name != id_variable:
            if not isinstance(value, str | int | Enum | None):
                raise NotShared(name)
            yield name, type(value), value
