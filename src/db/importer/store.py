"""Store: store one batch in one transaction, kinds in the order of their dependencies."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from uuid import UUID

from sqlalchemy import Text, Uuid, and_, cast, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from db import identity
from db.agents import AgentReport
from db.ai_models import AiModel
from db.ai_tests import AiTest
from db.core.ids import uuid7
from db.core.ingest.statements import Counts, insert_rows, literal_rows, upsert, upsert_counts
from db.core.session.database import WriteSession
from db.core.table import AnySelect, Row, Table
from db.dreams import Dream
from db.events import Event
from db.importer.agents import store_reports
from db.importer.places import place
from db.importer.report import Reject
from db.metrics import Metric
from db.progress import model_scores
from db.users import User

# in the order of dependencies; reports before events, in the order of the locks of feeds
TABLES: dict[str, type[Table]] = {
    "model": AiModel,
    "dream": Dream,
    "test": AiTest,
    "agentReport": AgentReport,
    "event": Event,
    "metric": Metric,
}
_RANKS = {kind: rank for rank, kind in enumerate(TABLES)}

DREAM = (
    *("id", "user_id", "title", "description", "original_prompt", "category", "tags"),
    *("is_public", "status", "import_key", "created_at", "updated_at"),
)
AI_TEST = (
    *("id", "dream_id", "provider", "model", "impossibility_score", "confidence", "reasoning"),
    *("duration", "tokens_used", "cost", "status", "test_parameters", "completed_at"),
    "created_at",
)
AI_MODEL = (
    *("id", "provider", "name", "display_name", "max_tokens", "cost_per_1k_tokens"),
    *("input_cost_per_1k_tokens", "output_cost_per_1k_tokens", "is_active", "capabilities"),
)
EVENT = ("id", "event_type", "source", "severity", "payload", "timestamp", "metadata")
METRIC = ("id", "metric_name", "value", "unit", "tags", "timestamp")


@dataclass(slots=True, frozen=True)
class ImportRow:
    """One valid line: its number, text, kind and row."""

    line: int
    text: bytes
    kind: str
    row: Row

    @property
    def rank(self) -> int:
        return _RANKS[self.kind]

    def reject(self, reason: str) -> Reject:
        return Reject(self.line, reason, self.text)


@dataclass(slots=True)
class StoreResult:
    """The result of a batch; `tested` are the dreams of its tests, each
    with its first test."""

    kinds: dict[str, Counts] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    tested: dict[UUID, UUID] = field(default_factory=dict)
    users_created: int = 0

    def add(self, other: "StoreResult") -> None:
        for kind, more in other.kinds.items():
            self.kinds.setdefault(kind, Counts()).add(more)
        self.rejects += other.rejects
        add_first(self.tested, other.tested.items())
        self.users_created += other.users_created


def add_first(first: dict[UUID, UUID], tests: Iterable[tuple[UUID, UUID]]) -> None:
    """Add tests to the first test of each dream."""
    for dream_id, id in tests:
        first[dream_id] = min(id, first.get(dream_id, id))


async def store(session: WriteSession, entries: Sequence[ImportRow]) -> StoreResult:
    stored = StoreResult()
    for kind, same in groupby(entries, key=lambda entry: entry.kind):
        stored.kinds[kind] = await _store_kind(session, kind, list(same), stored)
    return stored


async def _store_kind(
    session: WriteSession, kind: str, entries: list[ImportRow], stored: StoreResult
) -> Counts:
    rows = [entry.row for entry in entries]
    match kind:
        case "model":
            return await _models(session, rows)
        case "dream":
            return await _dreams(session, rows, stored)
        case "test":
            return await _tests(session, await _of_known_dreams(session, entries, stored), stored)
        case "event":
            return await _events(session, rows)
        case "metric":
            return await _insert(session, Metric, METRIC, rows)
        case _:
            return await store_reports(session, rows)


async def _events(session: WriteSession, rows: Sequence[Row]) -> Counts:
    new = await place(session, Event, "timestamp", rows)
    await session.execute(insert_rows(Event, EVENT, new))
    return Counts(inserted=len(new), unchanged=len(rows) - len(new))


async def _insert(
    session: WriteSession, table: type[Table], names: Sequence[str], rows: Sequence[Row]
) -> Counts:
    inserted = await session.execute(insert_rows(table, names, rows))
    return Counts(inserted=inserted, unchanged=len(rows) - inserted)


async def _tests(session: WriteSession, rows: Sequence[Row], stored: StoreResult) -> Counts:
    counts = await _insert(session, AiTest, AI_TEST, rows)
    add_first(stored.tested, [(row["dream_id"], row["id"]) for row in rows])
    if counts.inserted:
        await model_scores.forget(session, {row["dream_id"] for row in rows})
    return counts


async def _models(session: WriteSession, rows: Sequence[Row]) -> Counts:
    """Upsert the last line of each model, sorted so that two imports cannot deadlock."""
    now = session.now()
    latest = {
        (row["provider"], row["name"]): {**row, "id": row["id"] or uuid7(now)} for row in rows
    }
    source = literal_rows(AiModel, AI_MODEL, [latest[key] for key in sorted(latest)])
    statement = upsert(AiModel, AI_MODEL, select(*source.c), key=("provider", "name"))
    return upsert_counts(len(rows), await session.rows(statement))


async def _dreams(session: WriteSession, rows: Sequence[Row], stored: StoreResult) -> Counts:
    """Insert new dreams. Existing ones and their owners are kept: they may have been edited."""
    known = await _dreams_by_key(session, {row["import_key"] for row in rows})
    new = [row for row in rows if row["import_key"] not in known]
    stored.users_created += await _own(session, new)
    inserted = await session.execute(insert_rows(Dream, DREAM, new))
    return Counts(inserted=inserted, unchanged=len(rows) - inserted)


async def _own(session: WriteSession, rows: Sequence[Row]) -> int:
    now = session.now()
    emails = {row["owner_email"] for row in rows} - {None}
    owners = [{"id": uuid7(now), "email": email} for email in sorted(emails)]
    created = await session.execute(insert_rows(User, ("id", "email"), owners))
    users = await identity.by_emails(session, emails)
    for row in rows:
        row["user_id"] = users[row["owner_email"]].id if row["owner_email"] else None
    return created


async def _of_known_dreams(
    session: WriteSession, entries: Sequence[ImportRow], stored: StoreResult
) -> list[Row]:
    dreams = await _locked_dreams(session, {entry.row["dream_key"] for entry in entries})
    for entry in entries:
        entry.row["dream_id"] = dreams.get(entry.row["dream_key"])
        if entry.row["dream_id"] is None:
            reason = "dreamKey: there is no dream with this key"
            stored.rejects.append(entry.reject(reason))
    return [entry.row for entry in entries if entry.row["dream_id"]]


async def _locked_dreams(session: WriteSession, keys: Collection[str]) -> dict[str, UUID]:
    """The dreams with these keys, locked against changes that the sums of their tests depend on."""
    statement = _keyed_dreams(keys).order_by(Dream.id).with_for_update(read=True)
    return {row[0]: row[1] for row in await session.rows(statement)}


async def _dreams_by_key(session: WriteSession, keys: Collection[str]) -> dict[str, UUID]:
    return {row[0]: row[1] for row in await session.rows(_keyed_dreams(keys))}


def _keyed_dreams(keys: Collection[str]) -> AnySelect:
    """The key of a dream that was not imported is its id: exports say so."""
    ids = list(filter(None, map(_id_of, keys)))
    imported = Dream.import_key == func.any(cast(list(keys), ARRAY(Text)))
    others = and_(Dream.import_key.is_(None), Dream.id == func.any(cast(ids, ARRAY(Uuid))))
    key = func.coalesce(Dream.import_key, cast(Dream.id, Text))
    return select(key, Dream.id).where(or_(imported, others))


def _id_of(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None
