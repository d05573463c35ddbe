"""Subscriptions: states of agents, and their reports."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db import Database, ReadSession
from db.agents import AgentStatus
from db.core.session.coalescing import ReadCoalescer
from db.core.values import validation
from graph.agents.types import READ, Agent, AgentReport, AgentsByStatus
from graph.core.context import Info, as_source
from graph.core.subscriptions.polled import ChangingSource, PolledSource
from graph.core.subscriptions.source import (
    Conditions,
    Invalidations,
    Source,
    Update,
    VisibleRows,
    among,
    message,
    removed,
    rows,
    stream,
)
from graph.core.types.field import argument, field

ALL = "all"  # key of a read that is the same for all subscribers
Keys = Annotated[
    list[str] | None,
    argument(
        "Follow only agents with one of these keys; all agents if omitted.",
        validation.each(200, validation.string(200, 0)),
    ),
]
Statuses = Annotated[
    list[AgentStatus] | None,
    argument(
        "Follow only agents in one of these statuses. When an agent leaves them, one more update "
        "with its new status is sent.",
        validation.items(20),
    ),
]


@message(viewer_independent=True)
class AgentStatusUpdate(Update):
    """Current states of agents. A slow subscriber receives only the newest state of each agent."""

    agents: list[Agent] = rows(
        "The agents that changed, in their current state. All agents in a SNAPSHOT."
    )
    removed_keys: list[str] = removed("Keys of agents that were removed.")
    skipped: int = field(
        "Number of reports that are not shown because later reports replaced them."
    )


@message(viewer_independent=True)
class AgentHistoryUpdate(Update):
    """Reports of agents. Every report is sent, in the order they were stored."""

    reports: list[AgentReport] = rows("The reports, oldest first. Empty in a SNAPSHOT.")


@dataclass(frozen=True, slots=True)
class Reports(Source[db.agents.AgentReport]):
    """Every report of some agents, or of all."""

    feed = "agents"
    keys: frozenset[str] | None

    def conditions(self) -> Conditions:
        return db.agents.reports_of(self.keys)

    def is_relevant(self, report: db.agents.AgentReport) -> bool:
        return self.keys is None or report.agent_key in self.keys


@dataclass(frozen=True, slots=True)
class States(Source[db.agents.AgentReport]):
    """Current states of agents, restricted to some keys and statuses if these are given."""

    feed = "agents"
    state = True
    keys: frozenset[str] | None
    statuses: frozenset[str] | None

    def is_relevant(self, report: db.agents.AgentReport) -> bool:
        has_key = self.keys is None or report.agent_key in self.keys
        among = self.statuses is None or not self.statuses.isdisjoint(
            (report.status, report.previous_status)
        )
        return has_key and among

    async def snapshot(self, database: Database) -> Sequence[db.agents.Agent]:
        async with database.read() as session:
            return await db.agents.states(session, self.keys, self.statuses)

    async def visible(
        self,
        _database: Database,
        reports: Sequence[db.agents.AgentReport],
        coalescer: ReadCoalescer,
    ) -> VisibleRows:
        keys = {report.agent_key for report in reports}
        found = await coalescer.of(db.agents.by_keys, sorted(keys))
        return VisibleRows(list(found.values()), sorted(keys - found.keys()))

    def invalidations(self) -> Invalidations:
        return db.agents.turning_stale

    async def invalidated_rows(
        self, _database: Database, keys: Collection[str], coalescer: ReadCoalescer
    ) -> VisibleRows:
        wanted = keys if self.keys is None else self.keys.intersection(keys)
        found = await coalescer.of(db.agents.by_keys, sorted(wanted))
        among = self.statuses
        return VisibleRows([a for a in found.values() if among is None or a.status in among])

    async def pending_keys(self, coalescer: ReadCoalescer) -> Collection[str]:
        return (await coalescer.of(_stale, [ALL]))[ALL]


async def _stale(session: ReadSession, _all: Collection[str]) -> dict[str, Collection[str]]:
    return {ALL: await db.agents.stale(session)}


@dataclass(frozen=True, slots=True)
class Numbers(ChangingSource):
    """The numbers of agents by status."""

    seconds = 1.0

    async def read(self, session: ReadSession) -> AgentsByStatus:
        stale, counts = await db.agents.stale(session), await session.rows(db.agents.by_status())
        return AgentsByStatus(at=session.now(), stale=len(stale), counts=as_source(list(counts)))


@strawberry.type
class Subscriptions:
    @stream(
        AgentStatusUpdate,
        "States of agents: a snapshot, then an update whenever an agent reports, becomes stale, "
        "or is removed.",
        READ,
        reveals={"keys": db.agents.Agent.agent_key, "statuses": db.agents.Agent.status},
    )
    async def agent_status(
        self, _info: Info, keys: Keys = UNSET, statuses: Statuses = UNSET
    ) -> States:
        return States(among(keys), among(statuses))

    @stream(
        AgentHistoryUpdate,
        "Reports of agents. No report is skipped.",
        READ,
        reveals={"keys": db.agents.AgentReport.agent_key},
    )
    async def agent_history(self, _info: Info, keys: Keys = UNSET) -> Reports:
        return Reports(among(keys))

    @stream(
        AgentsByStatus,
        "Numbers of agents: whenever one changes, at most once a second, and every 10 seconds "
        "otherwise.",
        READ,
        cost=10,
        resumes=False,
    )
    async def agents_by_status(self, _info: Info) -> PolledSource:
        return Numbers()
