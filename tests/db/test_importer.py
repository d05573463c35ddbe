"""Imports: what arrives in the tables, again and again, in any order, and in spite of bad lines."""

import asyncio
import gzip
import json
import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from db import Database
from db.agents import Agent, AgentReport
from db.ai_models import AiModel
from db.ai_tests import AiTest
from db.core.ids import uuid7
from db.core.table import Table
from db.dreams import Dream
from db.events import Event
from db.importer import Counts, Progress, Report, import_files
from db.metrics import Metric
from db.progress import ProgressLog
from db.users import User

SAMPLES = Path(__file__).parents[1] / "samples"
EVERYTHING = SAMPLES / "everything.jsonl"
TABLES = (User, AiModel, Dream, AiTest, ProgressLog, Event, Metric, Agent, AgentReport)
START = datetime(2024, 1, 5, 11, tzinfo=UTC)

Line = Mapping[str, Any]


def at(days: float) -> str:
    return (START + timedelta(days=days)).isoformat()


def dream(key: str = "d", **changes: Any) -> Line:
    facts = {"title": "Dream", "category": "OTHER", "tags": [], "isPublic": True}
    line = {"kind": "dream", "key": key, **facts, "status": "ACTIVE", "createdAt": at(0)}
    return line | changes


def ai_test(key: str, day: float, score: str | None, model: str = "m", **changes: Any) -> Line:
    facts = {"dreamKey": "d", "provider": "p", "model": model, "impossibilityScore": score}
    line = {"kind": "test", "key": key, **facts, "status": "COMPLETED", "createdAt": at(day)}
    return line | {"testParameters": {}} | changes


def metric(minute: int, **changes: Any) -> Line:
    line = {"kind": "metric", "metricName": "cpu", "value": "1", "tags": {}}
    return line | {"timestamp": at(minute / 1440)} | changes


def report_of(key: str, day: float, status: str, error: str | None = None) -> Line:
    line = {"kind": "agentReport", "key": key, "agentKey": "a", "status": status, "at": at(day)}
    return line | {"performanceMetrics": {"day": day}, "error": error}


class Ground:
    """A database to import into, and a folder for files."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder

    async def load(self, *lines: Line | bytes, **options: Any) -> Report:
        """Imports lines as one file."""
        path = self.folder / "lines.jsonl"
        path.write_bytes(b"\n".join(_bytes(line) for line in lines))
        return await self.load_file(path, **options)

    async def load_file(self, *paths: Path, **options: Any) -> Report:
        """Imports files."""
        return await import_files(self.database, paths, rejects_dir=self.folder, **options)

    async def records(self, table: type[Table]) -> list[Any]:
        """All rows of a table, by id."""
        async with self.database.read() as session:
            return await session.records(table, table.select().order_by(text("id")))

    async def everything(self) -> dict[str, list[Any]]:
        """All rows of all tables that an import writes."""
        return {table.__tablename__: await self.records(table) for table in TABLES}


@pytest.fixture
def ground(database: Database, tmp_path: Path) -> Ground:
    return Ground(database, tmp_path)


def _bytes(line: Line | bytes) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line).encode()


async def test_every_kind_arrives(ground: Ground) -> None:
    report = await ground.load_file(EVERYTHING)
    [file] = report.files
    assert file.kinds == {
        "model": Counts(2),
        "dream": Counts(2),
        "test": Counts(4),
        "event": Counts(1),
        "metric": Counts(3),
        "agentReport": Counts(3),
    }
    assert (report.failed, report.users_created, report.progress_logs) == (0, 1, Counts(3))
    assert report.changed
    rows = await ground.everything()
    assert {name: len(records) for name, records in rows.items()} == {
        "users": 1,
        "ai_models": 2,
        "dreams": 2,
        "ai_tests": 4,
        "progress_logs": 3,
        "system_events": 1,
        "performance_metrics": 3,
        "agent_states": 1,
        "agent_history": 3,
    }


async def test_a_model_keeps_every_digit_of_its_prices(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    gpt, grok = sorted(await ground.records(AiModel), key=lambda model: str(model.name))
    assert gpt.output_cost_per_1k_tokens == Decimal("0.0600000000000000001")
    assert (gpt.display_name, gpt.max_tokens, gpt.is_active) == ("GPT-4", 8192, True)
    assert gpt.capabilities == ["FUNCTION_CALLING", "VISION"]
    assert (grok.max_tokens, grok.cost_per_1k_tokens, grok.is_active) == (None, None, None)


async def test_a_dream_keeps_its_key_its_time_and_its_owner(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    [ada] = await ground.records(User)
    proof, song = await ground.records(Dream)
    created_at = datetime(2024, 1, 1, 8, tzinfo=UTC)
    assert proof == Dream.Record(
        id=uuid7(created_at, key="dream:sample:proof"),
        user_id=ada.id,
        title="Prove it",
        description="A proof nobody has found.",
        original_prompt="Prove the conjecture.",
        category="MATH",
        tags=["proof", "hard"],
        is_public=True,
        status="ACTIVE",
        remixed_from_id=None,
        version=1,
        created_at=created_at,
        updated_at=created_at,
    )
    assert (ada.email, ada.role) == ("ada@example.org", "MEMBER")
    assert (song.user_id, song.description) == (None, None)
    assert song.created_at == datetime(2024, 1, 2, 8, 30, tzinfo=UTC)


async def test_a_test_keeps_what_is_known_of_it(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    first, second, failed, _ = await ground.records(AiTest)
    created_at = datetime(2024, 1, 5, 10, tzinfo=UTC)
    assert first == AiTest.Record(
        id=uuid7(created_at, key="test:sample:1"),
        dream_id=(await ground.records(Dream))[0].id,
        user_id=None,
        provider="openai",
        model="gpt-4",
        impossibility_score=Decimal("90.00"),
        confidence=Decimal("75.50"),
        reasoning='A gap in "lemma" 2.',
        duration=1500,
        tokens_used=1200,
        cost=Decimal("0.048000"),
        status="COMPLETED",
        test_parameters=first.test_parameters,
        completed_at=created_at + timedelta(milliseconds=1500),
        created_at=created_at,
        cost_derived=False,
    )
    assert second.completed_at is None  # nobody knows how long it took
    assert failed.completed_at == failed.created_at + timedelta(milliseconds=900)
    async with ground.database.read() as session:
        big = await session.scalar(text("select max(test_parameters ->> 'big') from ai_tests"))
    assert big == "123456789012345678901234567890"


async def test_metrics_are_rounded_half_away_from_zero_and_counted_as_often_as_told(
    ground: Ground,
) -> None:
    await ground.load_file(EVERYTHING)
    values = sorted(metric.value for metric in await ground.records(Metric))
    assert values == [Decimal("-0.000001"), Decimal("51.846000"), Decimal("51.846000")]


async def test_the_progress_of_a_dream_follows_its_tests(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    logs = await ground.records(ProgressLog)
    tests = [test for test in await ground.records(AiTest) if test.impossibility_score is not None]
    assert [(log.id, log.created_at) for log in logs] == [
        (test.id, test.created_at) for test in tests
    ]
    assert [tuple(log)[2:7] for log in logs] == [
        (Decimal("90.00"), Decimal("90.00"), 1, ["openai/gpt-4"], None),
        (Decimal("80.00"), Decimal("70.00"), 2, ["openai/gpt-4", "xai/grok"], None),
        # (55.55 + 70) / 2 = 62.775; of the log of 6 January, 80.00, that is 21.525 percent less
        (Decimal("62.78"), Decimal("55.55"), 3, ["openai/gpt-4", "xai/grok"], Decimal("21.53")),
    ]
    assert logs[2].snapshot_data == {
        "testId": str(tests[2].id),
        "provider": "openai",
        "model": "gpt-4",
        "score": 55.55,
    }


async def test_an_agent_is_in_the_state_of_its_newest_report(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    [agent] = await ground.records(Agent)
    reports = await ground.records(AgentReport)
    assert [(report.previous_status, report.status) for report in reports] == [
        (None, "RUNNING"),
        ("RUNNING", "ERROR"),
        ("ERROR", "IDLE"),
    ]
    assert sorted(report.seq for report in reports) == [report.seq for report in reports]
    assert (agent.agent_key, agent.status, agent.current_task) == ("prover", "IDLE", None)
    assert (agent.last_active, agent.last_seq) == (reports[2].reported_at, reports[2].seq)
    assert agent.performance_metrics == {"testsPassed": 1}
    assert agent.error_log == [{"at": "2024-01-05T10:00:01.000000Z", "error": "out of memory"}]


async def test_a_second_import_changes_nothing_and_says_so(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    before = await ground.everything()
    again = await ground.load_file(EVERYTHING)
    assert not again.changed
    assert again.files[0].rows == 15
    assert all(count.unchanged == count.total for count in again.files[0].kinds.values())
    assert again.progress_logs == Counts(unchanged=3)
    assert await ground.everything() == before


async def test_what_was_edited_since_stays_edited(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    async with ground.database.write() as session:
        await session.execute(text("update dreams set title = 'Proved', user_id = null"))
        await session.execute(text("delete from users"))
    assert not (await ground.load_file(EVERYTHING)).changed
    assert {dream.title for dream in await ground.records(Dream)} == {"Proved"}
    assert await ground.records(User) == []


async def test_a_model_is_updated_where_a_fact_differs(ground: Ground) -> None:
    facts = {"kind": "model", "provider": "p", "displayName": "M", "capabilities": []}
    first = await ground.load(*({**facts, "name": name} for name in "abc"))
    changed = {**facts, "name": "b", "isActive": True}
    second = await ground.load(
        *({**facts, "name": name} for name in "ac"), changed, {**facts, "name": "d"}
    )
    assert first.files[0].kinds == {"model": Counts(inserted=3)}
    assert second.files[0].kinds == {"model": Counts(inserted=1, updated=1, unchanged=2)}
    by_name = {model.name: model for model in await ground.records(AiModel)}
    assert by_name["b"].is_active
    assert by_name["b"].updated_at > by_name["b"].created_at
    assert by_name["a"].updated_at == by_name["a"].created_at


async def test_of_two_lines_for_one_model_the_last_counts(ground: Ground) -> None:
    facts = {"kind": "model", "provider": "p", "name": "m", "capabilities": []}
    report = await ground.load(*({**facts, "displayName": name} for name in ("first", "last")))
    assert report.files[0].kinds == {"model": Counts(inserted=1, unchanged=1)}
    assert [model.display_name for model in await ground.records(AiModel)] == ["last"]


async def test_an_import_that_was_stopped_is_resumed_by_running_it_again(ground: Ground) -> None:
    lines = [dream(), *(ai_test(f"t{n}", n, "50.00") for n in range(20))]
    lines += [metric(n) for n in range(5000)]
    running: list[asyncio.Task[Report]] = []
    after_the_first_batch = lambda _: running[0].cancel()  # noqa: E731  a callback, given by name
    running.append(asyncio.create_task(ground.load(*lines, progress=after_the_first_batch)))
    with pytest.raises(asyncio.CancelledError):
        await running[0]
    assert 0 < len(await ground.records(Metric)) < 5000
    assert await ground.records(ProgressLog) == []
    resumed = await ground.load(*lines)
    counts = resumed.files[0].kinds["metric"]
    assert counts.inserted > 0 < counts.unchanged
    assert counts.total == 5000 == len(await ground.records(Metric))
    assert resumed.progress_logs == Counts(inserted=20)


async def test_bad_lines_are_rejected_with_number_and_reason_and_the_rest_is_loaded(
    ground: Ground,
) -> None:
    report = await ground.load_file(SAMPLES / "some_bad.jsonl")
    [file] = report.files
    assert (report.failed, file.rows, report.stopped) == (3, 2, False)
    assert [metric.value for metric in await ground.records(Metric)] == [1, 3]
    assert file.rejects_path == ground.folder / "some_bad.jsonl.rejects.jsonl"
    rejects = [json.loads(line) for line in file.rejects_path.read_text().splitlines()]
    assert [(reject["line"], reject["reason"]) for reject in rejects] == [
        (2, 'value must be a decimal number as a text, such as "12.50"'),
        (4, "dreamKey: there is no dream nowhere"),
        (5, "the line is not JSON: EOF while parsing an object at column 111"),
    ]
    original = (SAMPLES / "some_bad.jsonl").read_text().splitlines()
    assert [reject["text"] for reject in rejects] == [original[n] for n in (1, 3, 4)]
    assert [reject.line for reject in file.rejects] == [2, 4, 5]


async def test_files_of_one_name_have_rejects_files_of_their_own(ground: Ground) -> None:
    paths = [ground.folder / folder / "bad.jsonl" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(b"{}")
    report = await ground.load_file(*paths)
    names = [file.rejects_path.name for file in report.files if file.rejects_path]
    assert names == ["bad.jsonl.rejects.jsonl", "bad.jsonl.2.rejects.jsonl"]


async def test_strict_stops_at_the_first_bad_line_with_nothing_of_its_batch(
    ground: Ground,
) -> None:
    lines = [metric(n) for n in range(3000)]
    report = await ground.load(*lines, b"{}", b"[]", metric(3000), strict=True)
    assert report.stopped
    assert [reject.line for reject in report.files[0].rejects] == [3001]
    assert len(await ground.records(Metric)) == report.files[0].rows == 2000


async def test_strict_leaves_out_the_files_that_follow(ground: Ground) -> None:
    bad, good = ground.folder / "bad.jsonl", ground.folder / "good.jsonl"
    bad.write_bytes(b"{}")
    good.write_bytes(_bytes(metric(1)))
    report = await ground.load_file(bad, good, strict=True)
    assert report.stopped
    assert [file.path for file in report.files] == [bad]
    assert await ground.records(Metric) == []


OVERFLOW = "PostgreSQL refuses it: numeric field overflow"


async def test_what_only_postgresql_refuses_costs_only_itself(ground: Ground) -> None:
    poison = ai_test("poison", 1, None, cost="9999.9999999")
    novel = dream("novel", title=" ".join(f"word{n}" for n in range(200_000)))
    lines = [dream(), *(ai_test(f"t{n}", n, "50.00") for n in range(100)), poison, novel]
    report = await ground.load(*lines, *(metric(n) for n in range(100)))
    reasons = [(reject.line, reject.reason) for reject in report.files[0].rejects]
    assert [line for line, _ in reasons] == [102, 103]
    assert reasons[0][1].startswith(OVERFLOW)
    assert reasons[1][1].startswith("PostgreSQL refuses it: string is too long for tsvector")
    assert report.files[0].kinds == {
        "dream": Counts(1),
        "test": Counts(100),
        "metric": Counts(100),
    }
    assert len(await ground.records(AiTest)) == len(await ground.records(ProgressLog)) == 100


async def test_strict_stops_at_what_only_postgresql_refuses(ground: Ground) -> None:
    poison = ai_test("poison", 1, None, cost="9999.9999999")
    report = await ground.load(dream(), ai_test("t", 1, "1.00"), poison, strict=True)
    assert report.stopped
    [reject] = report.files[0].rejects
    assert (reject.line, reject.reason[: len(OVERFLOW)]) == (3, OVERFLOW)
    assert await ground.records(Dream) == []


async def test_a_dream_may_follow_its_tests_by_a_few_lines_but_not_by_a_batch(
    ground: Ground,
) -> None:
    near = await ground.load(ai_test("t", 1, "50.00"), dream())
    assert near.failed == 0
    fillers = [metric(n) for n in range(2000)]
    far = await ground.load(ai_test("u", 1, "50.00", dreamKey="e"), *fillers, dream("e"))
    assert [reject.reason for reject in far.files[0].rejects] == ["dreamKey: there is no dream e"]


async def test_owners_are_made_once(ground: Ground) -> None:
    first = await ground.load(dream("a", ownerEmail="o@example.org"))
    second = await ground.load(*(dream(key, ownerEmail="o@example.org") for key in "bc"))
    assert (first.users_created, second.users_created) == (1, 0)
    [owner] = await ground.records(User)
    assert {dream.user_id for dream in await ground.records(Dream)} == {owner.id}


async def test_reports_that_come_late_find_their_place(ground: Ground) -> None:
    await ground.load(report_of("c", 3, "IDLE"), report_of("a", 1, "RUNNING"))
    await ground.load(
        report_of("b", 2, "ERROR", error="late"), report_of("b", 2, "ERROR", error="late")
    )
    reports = await ground.records(AgentReport)
    assert [(report.previous_status, report.status) for report in reports] == [
        (None, "RUNNING"),
        ("RUNNING", "ERROR"),
        ("ERROR", "IDLE"),
    ]
    [agent] = await ground.records(Agent)
    assert (agent.status, agent.performance_metrics) == ("IDLE", {"day": 3})
    assert agent.last_seq == reports[2].seq
    assert [error["error"] for error in agent.error_log] == ["late"]


async def test_an_agent_remembers_its_twenty_newest_errors(ground: Ground) -> None:
    await ground.load(*(report_of(f"new{n}", 100 + n, "ERROR", str(n)) for n in range(15)))
    await ground.load(*(report_of(f"old{n}", n, "ERROR", f"old {n}") for n in range(10)))
    [agent] = await ground.records(Agent)
    errors = [error["error"] for error in agent.error_log]
    assert errors == [f"old {n}" for n in range(5, 10)] + [str(n) for n in range(15)]


async def test_a_file_that_is_cut_off_is_loaded_so_far_and_reported(ground: Ground) -> None:
    path = ground.folder / "cut.jsonl.gz"
    noise = random.Random(1)  # noqa: S311  not for secrets: noise that does not compress away
    lines = [metric(n, value=str(noise.random())) for n in range(3000)]
    whole = gzip.compress(b"\n".join(map(_bytes, lines)))
    path.write_bytes(whole[:-2000])
    report = await ground.load_file(path)
    [reject] = report.files[0].rejects
    assert reject.reason.startswith("the compressed file is cut off here")
    assert 2000 < report.files[0].rows == reject.line - 1
    path.write_bytes(whole)
    assert (await ground.load_file(path)).failed == 0
    assert len(await ground.records(Metric)) == 3000


async def test_an_empty_file_is_told_as_such(ground: Ground) -> None:
    report = await ground.load()
    assert report.files[0].empty
    assert not report.changed


async def test_a_missing_file_stops_before_anything_is_stored(ground: Ground) -> None:
    with pytest.raises(FileNotFoundError):
        await ground.load_file(EVERYTHING, ground.folder / "nowhere.jsonl")
    assert await ground.records(Metric) == []


async def test_progress_is_told_in_bytes_and_then_in_dreams(ground: Ground) -> None:
    told: list[Progress] = []
    await ground.load(dream(), ai_test("t", 1, "50.00"), progress=told.append)
    size = (ground.folder / "lines.jsonl").stat().st_size
    assert [(step.path is None, step.done, step.total, step.rows) for step in told] == [
        (False, size, size, 2),
        (True, 1, 1, 1),
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_progress_is_the_same_in_whatever_order_tests_come(ground: Ground, seed: int) -> None:
    """Against a computation that looks at all tests anew for each log."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    tests = [
        ai_test(
            f"t{n}",
            chance.choice([n / 2, chance.uniform(0, 100), 40]),
            chance.choice(["0.00", "33.33", "66.67", f"{chance.uniform(0, 100):.2f}", None]),
            model=chance.choice("xyz"),
        )
        for n in range(60)
    ]
    chance.shuffle(tests)
    await ground.load(dream(), *tests[:20])
    await ground.load(*tests[20:])
    stored = [tuple(log)[2:7] for log in await ground.records(ProgressLog)]
    assert stored == expected_logs(await ground.records(AiTest))


def expected_logs(tests: Iterable[Any]) -> list[tuple[Any, ...]]:
    scored = [test for test in tests if test.impossibility_score is not None]
    logs: list[tuple[Any, ...]] = []
    for place, test in enumerate(scored):
        so_far = scored[: place + 1]
        latest = {f"{one.provider}/{one.model}": one.impossibility_score for one in so_far}
        mean = cents(sum(latest.values()) / len(latest))
        old = [
            log[0]
            for log, one in zip(logs, scored, strict=False)
            if test.created_at - one.created_at >= timedelta(days=30)
        ]
        trend = cents((old[-1] - mean) * 100 / old[-1]) if old and old[-1] else None
        best = min(one.impossibility_score for one in so_far)
        logs.append((mean, best, place + 1, sorted(latest), trend))
    return logs


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


async def test_tests_of_many_dreams_do_not_mix(ground: Ground) -> None:
    keys = [f"dream{n}" for n in range(130)]
    tests = [ai_test(f"{key}/{n}", n, f"{n}.00", dreamKey=key) for n in range(3) for key in keys]
    report = await ground.load(*map(dream, keys), *tests)
    assert report.progress_logs == Counts(inserted=3 * 130)
    statement = select(ProgressLog.dream_id, ProgressLog.test_count).order_by(
        ProgressLog.dream_id, ProgressLog.id
    )
    async with ground.database.read() as session:
        rows = await session.rows(statement)
    assert [row.test_count for row in rows] == [1, 2, 3] * 130
