"""Stored: the rows of the database, beside what clients know."""

from collections import Counter

from sqlalchemy import select

from cluster.subscribers import Subscriber
from cluster.writers import SOURCE, Acknowledged
from db import Database
from db.agents import AgentReport
from db.dreams import Dream
from db.events import Event

CATCH_UP_SECONDS = 15


class Stored:
    """The ids of all rows, as the API shows them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ids: dict[str, set[str]] = {}
        self.doubles: list[str] = []

    async def read(self) -> None:
        database = Database(self.url)
        try:
            async with database.unrestricted().read() as session:
                events = await session.rows(select(Event.id).where(Event.source == SOURCE))
                reports = await session.rows(select(AgentReport.id))
                dreams = await session.rows(select(Dream.id, Dream.title))
        finally:
            await database.close()
        self.ids = {
            "events": {f"event_{id.hex}" for (id,) in events},
            "reports": {f"agent_report_{id.hex}" for (id,) in reports},
            "dreams": {f"dream_{id.hex}" for id, _ in dreams},
        }
        titles = Counter(title for _, title in dreams)
        self.doubles = [title for title, count in titles.items() if count > 1]

    def lost(self, acknowledged: set[str]) -> set[str]:
        return acknowledged.difference(*self.ids.values())

    async def missed(self, subscriber: Subscriber) -> set[str]:
        """The rows that a subscriber has not received, once it had the time to catch up."""
        rows = self.ids[subscriber.rows]
        await subscriber.reaches(lambda: rows <= subscriber.seen, CATCH_UP_SECONDS)
        return rows - subscriber.seen


async def stored(url: str) -> Stored:
    found = Stored(url)
    await found.read()
    return found


def differing(acknowledged: Acknowledged, found: Stored) -> list[str]:
    """Writes that were stored twice, or acknowledged with two ids."""
    return [*acknowledged.differing, *found.doubles]
