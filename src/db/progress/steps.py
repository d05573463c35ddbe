"""Steps: parts of the replay of a dream, each of a bounded number of logs."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Insert, insert, literal, literal_column, select, true

from db.ai_tests import AiTest, AiTestStatus
from db.audit import ChangeKind, PendingChange
from db.core.ingest.statements import core_table, row_parameters, upsert_batch
from db.core.query.batch import requested_keys, within
from db.core.session.database import ReadSession, ResultRow, WriteSession
from db.core.table import AnySelect, Row
from db.progress import ProgressLog
from db.progress.model_scores import State
from db.progress.replay import FIRST, TEST, Averages, Replay, Start
from db.progress.starts import former_averages, starts

UPSERT = upsert_batch(ProgressLog, ("id",)).returning(
    core_table(ProgressLog).c.id, core_table(ProgressLog).c.dream_id
)

States = Mapping[UUID, State]  # by dream, with all tests


@dataclass(frozen=True, slots=True)
class Step:
    """Some logs of a dream, and the test that follows. `is_right` is false if its last log does not
    count all of its tests, so that the log before the step was wrong: it waits for its own
    correction, or tests that it counts have expired."""

    logs: Sequence[Row]
    following: UUID | None
    is_right: bool


@dataclass(frozen=True, slots=True)
class Position:
    """How far a replay came: the next test, and whether it began at the first one."""

    since: UUID
    is_whole: bool = False

    def after(self, step: Step | None) -> "Position | None":
        """The position after a step; None at the end. A replay that started with a wrong log starts
        again at the first test."""
        if step is None or (step.following is None and (step.is_right or self.is_whole)):
            return None
        return Position(step.following or FIRST, self.is_whole or step.following is None)


@dataclass(frozen=True, slots=True)
class LogChange:
    """A log that was stored, or corrected."""

    id: UUID
    dream_id: UUID
    kind: ChangeKind


async def compute(
    session: ReadSession, since: Mapping[UUID, UUID], size: int, states: States
) -> dict[UUID, Step]:
    """The logs of `size` tests of each dream, scored or not, from the test `since` on. They
    continue from the log before it, or from nothing if it is FIRST."""
    found = await _tests(session, since, size + 1)
    scored = {id: _scored(some[:size]) for id, some in found.items()}
    continued = {id: _ids(some) for id, some in scored.items() if since[id] != FIRST}
    begun = await starts(session, since, continued, states)
    steps: dict[UUID, Step] = {}
    for id, some in scored.items():
        replay, rest = Replay(id, begun.get(id, Start())), found[id][size:]
        logs = list(map(replay.log, some))
        is_right = bool(rest) or replay.test_count == states[id].test_count
        steps[id] = Step(logs, rest[0].id if rest else None, is_right)
    return steps


async def newest_logs(session: ReadSession, states: States) -> list[Row]:
    """The log of the newest test of each dream, which follows from the states alone, but for its
    trend: that compares with a stored average."""
    newest = {id: state.newest_test for id, state in states.items() if state.newest_test}
    tests = await _tests(session, newest, 1)
    compared = await former_averages(session, newest, {id: [newest[id]] for id in tests})
    return [
        Replay(id, _without_newest(states[id], compared[id])).log(test)
        for id, [test] in tests.items()
    ]


async def store(session: WriteSession, logs: Iterable[Row]) -> list[LogChange]:
    """Store logs that are new or differ, and return these, by dream and time."""
    rows = await session.rows(UPSERT, row_parameters(list(logs)))
    kinds = {True: ChangeKind.CREATED, False: ChangeKind.UPDATED}
    changes = [LogChange(id, dream_id, kinds[fresh]) for fresh, id, dream_id in rows]
    return sorted(changes, key=lambda change: (change.dream_id, change.id))


async def announce(session: WriteSession, changes: Collection[LogChange]) -> None:
    """Store the changes for subscribers."""
    if changes:
        await session.unrestricted().execute(_announcement(changes))
        session.feeds.add("changes")


def _without_newest(state: State, compared: Averages) -> Start:
    return Start(state.latest, state.best, state.test_count - 1, compared)


def _ids(tests: Sequence[ResultRow]) -> list[UUID]:
    return [test.id for test in tests]


def _scored(tests: Sequence[ResultRow]) -> list[ResultRow]:
    """As SCORED, which an index in another order would serve."""
    completed = AiTestStatus.COMPLETED
    return [
        test for test in tests if test.status == completed and test.impossibility_score is not None
    ]


async def _tests(
    session: ReadSession, since: Mapping[UUID, UUID], limit: int
) -> dict[UUID, list[ResultRow]]:
    """The tests of each dream from one on, oldest first."""
    found: dict[UUID, list[ResultRow]] = defaultdict(list)
    if since:
        for test in await session.rows(_tests_since(since, limit)):
            found[test.dream_id].append(test)
    return dict(found)


def _tests_since(since: Mapping[UUID, UUID], limit: int) -> AnySelect:
    """With the limit as a constant: PostgreSQL would sort all tests of a month otherwise."""
    keys = requested_keys((AiTest.dream_id, AiTest.id), list(since.items()))
    tests = select(*(core_table(AiTest).c[name] for name in (*TEST, "status")))
    following = tests.where(*within((AiTest.dream_id,), [keys.c.k0]), AiTest.id >= keys.c.k1)
    ordered = following.order_by(AiTest.dream_id, AiTest.id).limit(literal_column(str(limit)))
    part = ordered.lateral("test")
    return select(*part.c).select_from(keys.join(part, true())).order_by(part.c.dream_id, part.c.id)


def _announcement(changes: Collection[LogChange]) -> Insert:
    wanted = [(change.id, change.kind.value, change.dream_id) for change in changes]
    columns = PendingChange.entity_id, PendingChange.kind, PendingChange.parent_id
    keys = requested_keys(columns, wanted)
    noun = literal(ProgressLog.__tablename__)
    rows = select(noun, keys.c.k0, keys.c.k1, keys.c.k2).order_by(keys.c.position)
    return insert(PendingChange).from_select(["noun", "entity_id", "kind", "parent_id"], rows)
