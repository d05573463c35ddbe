"""Rejected lines: the others are imported, unless the import is strict."""

import gzip
import json
import random
from datetime import timedelta

import pytest

from db.ai_tests import AiTest
from db.dreams import Dream
from db.importer import Counts, parse
from db.metrics import Metric
from db.progress import ProgressLog
from support.imports import EVERYTHING, SAMPLES, Ground, ai_test, dream, metric, report_of, written

TOO_LONG = "PostgreSQL rejected it: asyncpg.exceptions.ProgramLimitExceededError (SQLSTATE 54000"
NOVEL = " ".join(f"word{n}" for n in range(200_000))


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
        (4, "dreamKey: there is no dream with this key"),
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
    good.write_bytes(written(metric(1)))
    report = await ground.load_file(bad, good, strict=True)
    assert report.stopped
    assert [file.path for file in report.files] == [bad]
    assert await ground.records(Metric) == []


@pytest.fixture
def _unbounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of columns refuse nothing, so that PostgreSQL has something left to refuse."""
    monkeypatch.setattr(parse, "_faults", lambda *_: ())


async def test_texts_and_documents_beyond_the_bounds_of_columns_are_refused(
    ground: Ground,
) -> None:
    deep: dict[str, object] = {}
    for _ in range(40):
        deep = {"a": deep}
    lines = [
        dream("title", title="x" * 201),
        dream("prompt", originalPrompt="x" * 100_001, description="x" * 100_000),
        dream("tags", tags=["x"] * 51),
        metric(1, tags={"a": "x" * 64_000}),
        metric(2, tags=deep),
        metric(3, unit="x" * 101),
        report_of("report", 1, "IDLE", error="x" * 100_001),
    ]
    report = await ground.load(*lines)
    assert [reject.reason for reject in report.files[0].rejects] == [
        "title: This text must have 1 to 200 characters.",
        "originalPrompt: This text must have 0 to 100,000 characters.",
        "tags: At most 50 are allowed.",
        "tags: This JSON may have at most 64,000 bytes.",
        "tags: This JSON is nested more than 32 levels deep.",
        "unit: This text must have 0 to 100 characters.",
        "error: This text must have 0 to 100,000 characters.",
    ]


@pytest.mark.usefixtures("_unbounded")
async def test_a_row_that_postgresql_rejects_costs_only_itself(ground: Ground) -> None:
    novels = dream("novel", title=NOVEL), dream("sequel", title=NOVEL)
    lines = [dream(), *(ai_test(f"t{n}", n, "50.00") for n in range(100)), *novels]
    report = await ground.load(*lines, *(metric(n) for n in range(100)))
    reasons = [(reject.line, reject.reason) for reject in report.files[0].rejects]
    assert [line for line, _ in reasons] == [102, 103]
    assert all(reason.startswith(TOO_LONG) for _, reason in reasons)
    assert report.files[0].kinds == {
        "dream": Counts(1),
        "test": Counts(100),
        "metric": Counts(100),
    }
    assert len(await ground.records(AiTest)) == len(await ground.records(ProgressLog)) == 100


@pytest.mark.usefixtures("_unbounded")
async def test_strict_stops_at_a_row_that_postgresql_rejects(ground: Ground) -> None:
    novel = dream("novel", title=NOVEL)
    report = await ground.load(dream(), ai_test("t", 1, "1.00"), novel, strict=True)
    assert report.stopped
    [reject] = report.files[0].rejects
    assert (reject.line, reject.reason[: len(TOO_LONG)]) == (3, TOO_LONG)
    assert await ground.records(Dream) == []


async def test_a_dream_may_follow_its_tests_by_a_few_lines_but_not_by_a_batch(
    ground: Ground,
) -> None:
    near = await ground.load(ai_test("t", 1, "50.00"), dream())
    assert near.failed == 0
    fillers = [metric(n) for n in range(2000)]
    far = await ground.load(ai_test("u", 1, "50.00", dreamKey="e"), *fillers, dream("e"))
    assert [reject.reason for reject in far.files[0].rejects] == [
        "dreamKey: there is no dream with this key"
    ]


async def test_a_file_that_is_cut_off_is_loaded_so_far_and_reported(ground: Ground) -> None:
    path = ground.folder / "cut.jsonl.gz"
    noise = random.Random(1)  # noqa: S311  not for secrets: noise that does not compress away
    lines = [metric(n, value=str(noise.random())) for n in range(3000)]
    whole = gzip.compress(b"\n".join(map(written, lines)))
    path.write_bytes(whole[:-2000])
    report = await ground.load_file(path)
    [reject] = report.files[0].rejects
    assert reject.reason.startswith("the compressed file is truncated here")
    assert 2000 < report.files[0].rows == reject.line - 1
    path.write_bytes(whole)
    assert (await ground.load_file(path)).failed == 0
    assert len(await ground.records(Metric)) == 3000


async def test_an_empty_file_is_reported(ground: Ground) -> None:
    report = await ground.load()
    assert report.files[0].empty
    assert not report.changed


async def test_a_missing_file_stops_before_anything_is_stored(ground: Ground) -> None:
    with pytest.raises(FileNotFoundError):
        await ground.load_file(EVERYTHING, ground.folder / "nowhere.jsonl")
    assert await ground.records(Metric) == []


async def test_times_are_judged_by_the_clock_of_the_database(ground: Ground) -> None:
    now = await ground.database.now()
    soon, later = ((now + timedelta(minutes=m)).isoformat() for m in (4, 6))
    lines = [metric(0, timestamp=soon), metric(0, timestamp=later), dream(createdAt=later)]
    long = ai_test("t", 0, None, createdAt=soon, durationMs=3_600_000)
    report = await ground.load(*lines, dream("e"), long | {"dreamKey": "e"})
    assert [(reject.line, reject.reason) for reject in report.files[0].rejects] == [
        (2, "timestamp must not be in the future"),
        (3, "createdAt must not be in the future"),
        (5, "durationMs must not end in the future"),
    ]
    assert [metric.timestamp.isoformat() for metric in await ground.records(Metric)] == [soon]
