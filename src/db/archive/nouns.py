"""Nouns: the tables whose months can be archived, by the names of their retention settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from db.ai_tests import AiTest
from db.ai_tests.queue import QueuedAiTest
from db.analytics import UserAction
from db.core.feed.retention import removal
from db.core.ids import floor
from db.core.ingest.statements import core_table
from db.core.schema.months import Month, Removal
from db.core.table import AnySelect, Table
from db.feeds import AGENTS, EVENTS, METRICS

Busy = Callable[[Month], AnySelect]  # rows because of which a month is not archived yet


@dataclass(frozen=True, slots=True)
class ArchiveNoun:
    """A table, and what its other tables need before a month of it is taken away."""

    name: str
    removal: Removal
    busy: Busy | None = None

    @property
    def table(self) -> type[Table]:
        return self.removal.table

    @property
    def source(self) -> str:
        return core_table(self.table).name


def _queued(month: Month) -> AnySelect:
    id = QueuedAiTest.id
    return select(id).where(id >= floor(month.start), id < floor(month.end))


NOUNS: Mapping[str, ArchiveNoun] = {
    noun.name: noun
    for noun in (
        ArchiveNoun("agents", removal(AGENTS)),
        ArchiveNoun("events", removal(EVENTS)),
        ArchiveNoun("metrics", removal(METRICS)),
        ArchiveNoun("actions", Removal(UserAction)),
        ArchiveNoun("tests", Removal(AiTest), _queued),
    )
}
