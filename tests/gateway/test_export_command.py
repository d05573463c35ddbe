"""`dreamnet export`: files that `dreamnet import` reads, in three formats, with flat memory."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from db import Database
from db.core.schema import migrate
from db.importer import import_files
from support import factories
from support.commands import Dreamnet
from support.databases import create_database, drop_database, execute
from support.imports import EVERYTHING
from support.peak_memory import metrics_at, peak_memory

IMPORTED = ("models", "dreams", "tests", "events", "metrics", "agentReports")
NOUNS = (*IMPORTED, "auditEntries", "features")
NOW = "now() - interval '1 minute'"
Export = Callable[..., bytes]


async def _fill(url: str) -> None:
    database = Database(url)
    await import_files(database, [EVERYTHING], rejects_dir=Path("/tmp"))  # noqa: S108  there is none
    owner = await factories.make_user(database)
    dream = await factories.make_dream(
        database, user_id=owner.id, title='Comma, "quote"\nand line', description="", tags=["a,b"]
    )
    rest = {"dream_id": dream.id, "test_parameters": {"temperature": 0.20, "text": 'a"\\\n'}}
    for model in ("one", "two", "two"):
        await factories.make_ai_test(database, model=model, **rest)
    await factories.make_event(database, payload={"a": [1, 2.50, None, "ä\u2028"]})
    await factories.make_metric(database, unit="", value="-12.000001")
    await factories.make_agent_report(database, error="failed", current_task={"n": 1})
    await factories.make_ai_model(database, input_cost_per_1k_tokens="0.0000000000001")
    await factories.make_audit_entry(database, before={"is_public": False}, actor=owner.id)
    await database.close()


@pytest.fixture
def filled(database_url: str) -> str:
    asyncio.run(_fill(database_url))
    return database_url


@pytest.fixture
def export(dreamnet: Dreamnet, tmp_path: Path) -> Export:
    """`export(url, noun, *options)`: the bytes of the file."""

    def export(url: str, noun: str, *options: str) -> bytes:
        file = tmp_path / "export"
        assert dreamnet("export", noun, "--to", str(file), *options, DATABASE_URL=url) == 0
        return file.read_bytes()

    return export


def test_what_is_exported_can_be_imported_and_is_the_same(
    filled: str, server_url: str, export: Export, tmp_path: Path
) -> None:
    files = {noun: export(filled, noun) for noun in IMPORTED}
    paths = [tmp_path / f"{noun}.jsonl" for noun in IMPORTED]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)

    again = asyncio.run(_imported(filled, paths, tmp_path))
    other = asyncio.run(create_database(server_url))
    asyncio.run(migrate.upgrade(other))
    first = asyncio.run(_imported(other, paths, tmp_path))
    same = {noun: export(other, noun) for noun in IMPORTED}
    asyncio.run(drop_database(server_url, other))

    assert same == files
    assert all(files.values())
    assert (again, first) == (0, sum(content.count(b"\n") for content in files.values()))


async def _imported(url: str, paths: list[Path], folder: Path) -> int:
    """Import files without a reject, and return how many rows are new."""
    database = Database(url)
    report = await import_files(database, paths, rejects_dir=folder)
    await database.close()
    assert not [file.rejects for file in report.files if file.rejects]
    return sum(counts.inserted for file in report.files for counts in file.kinds.values())


@pytest.mark.parametrize("noun", NOUNS)
def test_all_formats_say_the_same(filled: str, export: Export, noun: str) -> None:
    objects = [json.loads(line) for line in export(filled, noun).splitlines()]
    table = parquet.read_table(io.BytesIO(export(filled, noun, "--format", "parquet")))
    rows = list(csv.DictReader(io.StringIO(export(filled, noun, "--format", "csv").decode())))

    assert objects
    for each in objects:
        each.pop("kind")
    assert table.column_names == list(objects[0]) == list(rows[0])
    assert [plain(row) for row in table.to_pylist()] == [plain(each) for each in objects]
    assert [list(row.values()) for row in rows] == [
        [cell(value) for value in each.values()] for each in objects
    ]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of Parquet or of JSON, with values that can be compared."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return value
        case str() if value.startswith("{"):
            return json.loads(value)
        case list() | None | bool() | int():
            return value
        case _ if hasattr(value, "isoformat"):
            return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case _:
            return str(value)


def cell(value: Any) -> str:
    """A value as it stands in CSV, whose objects PostgreSQL prints as in JSON."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        case _:
            return str(value)


def test_filters_are_those_of_the_api(
    filled: str, export: Export, dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    two = export(filled, "tests", "--where", '{"model": {"eq": "two"}}')
    none = export(filled, "tests", "--where", '{"model": {"in": []}}')
    wrong = {
        '{"model": {"like": "t%"}}': "is not a filter of tests",
        '{"model": ': "is not JSON",
        '{"secret": {"eq": 1}}': "is not a filter of tests",
    }

    assert [json.loads(line)["model"] for line in two.splitlines()] == ["two", "two"]
    assert none == b""
    for where, message in wrong.items():
        options = ("--to", "-", "--where", where)
        assert dreamnet("export", "tests", *options, DATABASE_URL=filled) == 2
        assert message in capsys.readouterr().err


def test_an_export_continues_after_a_row(filled: str, export: Export) -> None:
    for noun in NOUNS:
        whole = export(filled, noun).splitlines(keepends=True)
        for number, line in enumerate(whole, 1):
            rest = export(filled, noun, "--after", json.loads(line)["id"])
            assert rest == b"".join(whole[number:])


def test_rows_after_the_time_of_the_first_part_are_left_out(filled: str, export: Export) -> None:
    *_, last = map(json.loads, export(filled, "events").splitlines())
    before = export(filled, "events", "--until", "2000-01-01T00:00:00Z")

    until = export(filled, "events", "--until", last["timestamp"])
    assert before == b""
    assert json.loads(until.splitlines()[-1]) == last


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("dragons", "--to", "-"), "There is no export dragons"),
        (("tests", "--to", "-", "--format", "xml"), "--format must be one of"),
        (("tests", "--to", "-", "--after", "first"), "is not the `id`"),
        (("features", "--to", "-", "--after", "[1]"), "is not the `id`"),
        (("tests", "--to", "-", "--until", "today"), "--until must be a time"),
        (("tests", "--to", "/nowhere/file"), "cannot be written"),
    ],
)
def test_wrong_options_are_explained(
    dreamnet: Dreamnet,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    message: str,
) -> None:
    assert dreamnet("export", *options, DATABASE_URL=database_url) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("format", ["jsonl", "parquet"])
def test_memory_does_not_grow_with_the_rows(database_url: str, tmp_path: Path, format: str) -> None:
    asyncio.run(execute(database_url, metrics_at(NOW, 2_000)))
    few = peak(database_url, tmp_path / "few", format)
    asyncio.run(execute(database_url, "delete from performance_metrics"))
    asyncio.run(execute(database_url, metrics_at(NOW, 200_000)))
    many = peak(database_url, tmp_path / "many", format)

    assert many - few < 40_000  # KiB, of 90 MB of lines


def peak(url: str, file: Path, format: str) -> int:
    options = ("--to", str(file), "--format", format)
    kib, _ = peak_memory(file.parent, "export", "metrics", *options, DATABASE_URL=url)
    return kib
