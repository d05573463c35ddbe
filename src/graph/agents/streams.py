"""Streams: agents as they change, and every report of theirs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

import db
from db import Database, ReadSession
from db.agents import AgentStatus
from db.core.session.coalescing import ReadCoalescer
from db.core.values import validation
from graph.agents.types import READ, Agent, AgentReport
from graph.core.context import Info
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

ALL = "all"  # of whom something is read, whoever asks
Keys = Annotated[
    list[str] | None,
    argument(
        "Only agents with one of these keys; all if left out.",
        validation.each(200, validation.string(200, 0)),
    ),
]
Statuses = Annotated[
    list[AgentStatus] | None,
    argument(
        "Only agents in one of these statuses; one that leaves them is told once more, with the "
        "status it has then.",
        validation.items(20),
    ),
]


@message(viewer_independent=True)
class AgentStatusUpdate(Update):
    """What agents do now. Who reads slowly is told the newest state of each agent only."""

    agents: list[Agent] = rows("The agents that changed, as they are now; all in a SNAPSHOT.")
    removed_keys: list[str] = removed("Keys of agents that were forgotten.")
    skipped: int = field("How many reports are told only by what came after them.")


@message(viewer_independent=True)
class AgentHistoryUpdate(Update):
    """What agents reported, every report in the order of storing."""

    reports: list[AgentReport] = rows("The reports, oldest first; none in a SNAPSHOT.")


@dataclass(frozen=True, slots=True)
class Reports(Source):
    """Every report of some agents, or of all."""

    feed = "agents"
    keys: frozenset[str] | None

    def conditions(self) -> Conditions:
        return db.agents.reports_of(self.keys)

    def concerns(self, report: Any) -> bool:
        return self.keys is None or report.agent_key in self.keys


@dataclass(frozen=True, slots=True)
class States(Source):
    """The present state of some agents, or of all, while they are in some statuses, or in any."""

    feed = "agents"
    state = True
    keys: frozenset[str] | None
    statuses: frozenset[str] | None

    def concerns(self, report: Any) -> bool:
        told = self.keys is None or report.agent_key in self.keys
        among = self.statuses is None or not self.statuses.isdisjoint(
            (report.status, report.previous_status)
        )
        return told and among

    async def snapshot(self, database: Database) -> Sequence[Any]:
        async with database.read() as session:
            return await db.agents.states(session, self.keys, self.statuses)

    async def visible(
        self, _database: Database, reports: Sequence[Any], coalescer: ReadCoalescer
    ) -> VisibleRows:
        keys = {report.agent_key for report in reports}
        found = await coalescer.of(db.agents.by_keys, sorted(keys))
        return VisibleRows(list(found.values()), sorted(keys - found.keys()))

    def invalidations(self) -> Invalidations:
        return db.agents.turning_stale

    async def named(
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


@strawberry.type
class Subscriptions:
    @stream(
        AgentStatusUpdate,
        "Agents as they are, and then as they change: by a report, by being silent for too long, "
        "or by being forgotten.",
        READ,
        reveals={"keys": db.agents.Agent.agent_key, "statuses": db.agents.Agent.status},
    )
    async def agent_status(
        self, _info: Info, keys: Keys = UNSET, statuses: Statuses = UNSET
    ) -> Source:
        return States(among(keys), among(statuses))

    @stream(
        AgentHistoryUpdate,
        "Every report of agents, none left out.",
        READ,
        reveals={"keys": db.agents.AgentReport.agent_key},
    )
    async def agent_history(self, _info: Info, keys: Keys = UNSET) -> Source:
        return Reports(among(keys))
