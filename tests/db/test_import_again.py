"""A repeated import changes only differences, and resumes an interrupted one."""

import asyncio
import json
from decimal import Decimal

import pytest
from sqlalchemy import text

from db.ai_models import AiModel
from db.core.ids import uuid7
from db.dreams import Dream
from db.importer import Counts, Report
from db.metrics import Metric
from db.progress import ProgressLog
from db.users import User
from support.imports import EVERYTHING, START, Ground, ai_test, dream, metric


async def test_a_second_import_reports_no_changes(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    before = await ground.everything()
    again = await ground.load_file(EVERYTHING)
    assert not again.changed
    assert again.files[0].rows == 15
    assert all(count.unchanged == count.total for count in again.files[0].kinds.values())
    assert again.progress_logs == Counts(unchanged=3)
    assert await ground.everything() == before


async def test_later_edits_are_kept(ground: Ground) -> None:
    await ground.load_file(EVERYTHING)
    async with ground.database.write() as session:
        await session.execute(text("update dreams set title = 'Proved', user_id = null"))
        await session.execute(text("delete from users"))
    assert not (await ground.load_file(EVERYTHING)).changed
    assert {dream.title for dream in await ground.records(Dream)} == {"Proved"}
    assert await ground.records(User) == []


async def test_documents_differ_where_json_does(ground: Ground) -> None:
    lines = dream(), ai_test("t", 1, "5.00")
    await ground.load(*lines)
    [log] = await ground.records(ProgressLog)
    assert repr(log.snapshot_data["score"]) == "5.0"
    async with ground.database.write() as session:
        await session.execute(
            text("update progress_logs set snapshot_data = snapshot_data || '{\"score\": 5}'")
        )

    again = await ground.load(*lines)

    assert again.progress_logs == Counts(updated=1)
    assert await ground.records(ProgressLog) == [log]


async def test_a_metric_of_an_earlier_version_is_found_again(ground: Ground) -> None:
    """Its id was made of numbers as 64-bit floats print them."""
    path = ground.folder / "numbers.jsonl"
    line = json.dumps(metric(0)).replace('"value": "1"', '"value": 2.50')
    path.write_text(line.replace('"tags": {}', '"tags": {"a": 0.10, "b": 1e22}'))

    await ground.load_file(path)
    [stored] = await ground.records(Metric)

    content = "\0".join(["metric:cpu", "2.5", "None", '{"a": 0.1, "b": 1e+22}', "0"])
    assert stored.id == uuid7(START, key=content)
    assert stored.tags == {"a": Decimal("0.10"), "b": 10**22}
    assert not (await ground.load_file(path)).changed


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
