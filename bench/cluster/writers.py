"""Writers: clients that send everything with an idempotency key, until it is acknowledged."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cluster.requests import Client

BATCH = 10
AGENTS = 20
PAUSE_SECONDS = 0.02  # between two writes
AGAIN_SECONDS = 0.05  # until a write that was not acknowledged is sent again
REPEATED = 0.05  # share of acknowledged writes that are sent once more
STATUSES = ("IDLE", "RUNNING", "WAITING", "ERROR")
SOURCE = "cluster"

CREATE = """mutation ($input: CreateDreamInput!) {
  createDream(input: $input) { dream { id } errors { code } }
}"""
REPORT = """mutation ($input: ReportAgentStatusesInput!) {
  reportAgentStatuses(input: $input) { storedIds }
}"""
LOG = """mutation ($input: LogEventsInput!) {
  logEvents(input: $input) { storedIds }
}"""
LIST = "{ dreams(first: 20) { nodes { id title } } }"

Input = dict[str, object]
Stored = Callable[[dict[str, object]], list[str]]


@dataclass
class Acknowledged:
    """The ids that clients were given; `differing` are keys that got another id when repeated."""

    ids: set[str] = field(default_factory=set)
    differing: list[str] = field(default_factory=list)


class Writer:
    def __init__(self, name: str, client: Client, acknowledged: Acknowledged) -> None:
        self.name = name
        self.client = client
        self.acknowledged = acknowledged
        self.chance = random.Random(name)  # noqa: S311  no secret
        self.is_stopping = False

    async def run(self) -> None:
        """Write until it is stopped, and bring the last write to an end."""
        number = 0
        while not self.is_stopping:
            key = f"{self.name}/{number}"
            await self._insist(CREATE, self._dream(key), _dream_of)
            await self._insist(LOG, {"events": _events(key)}, _stored_by("logEvents"))
            await self._insist(REPORT, {"reports": self._reports(key)}, _stored_by(REPORTS))
            await self.client.send(LIST)
            number += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _insist(self, mutation: str, input: Input, stored: Stored) -> None:
        ids = await self._acknowledged(mutation, input, stored)
        self.acknowledged.ids.update(ids)
        if self.chance.random() < REPEATED:
            again = await self._acknowledged(mutation, input, stored)
            if again != ids:
                self.acknowledged.differing.append(str(input.get("idempotencyKey", ids[0])))

    async def _acknowledged(self, mutation: str, input: Input, stored: Stored) -> list[str]:
        while True:
            status, data = await self.client.send(mutation, input=input)
            if status == 200 and (ids := stored(data)):
                return ids
            await asyncio.sleep(AGAIN_SECONDS)

    def _dream(self, key: str) -> Input:
        return {"title": key, "idempotencyKey": key, "isPublic": True}

    def _reports(self, key: str) -> list[Input]:
        return [
            {
                "agentKey": f"agent-{self.chance.randrange(AGENTS)}",
                "status": self.chance.choice(STATUSES),
                "reportedAt": _now(),
                "idempotencyKey": f"{key}/{n}",
            }
            for n in range(BATCH)
        ]


REPORTS = "reportAgentStatuses"


def _events(key: str) -> list[Input]:
    fixed = {"source": SOURCE, "timestamp": _now()}
    return [
        {**fixed, "eventType": f"{key}/{n}", "idempotencyKey": f"{key}/{n}"} for n in range(BATCH)
    ]


def _dream_of(data: dict[str, object]) -> list[str]:
    match data:
        case {"createDream": {"dream": {"id": str(id)}}}:
            return [id]
    return []


def _stored_by(field: str) -> Stored:
    def stored(data: dict[str, object]) -> list[str]:
        match data.get(field):
            case {"storedIds": [*ids]} if len(ids) == BATCH and all(ids):
                return [str(id) for id in ids]
        return []

    return stored


def _now() -> str:
    return datetime.now(UTC).isoformat()
