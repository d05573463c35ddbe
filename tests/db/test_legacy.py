"""Old generations become dreams, from a file and from a database alike."""

from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from db import Database
from db.core.url import connection_info
from db.dreams import Dream
from db.importer import import_files
from db.importer.legacy import NotLegacy, write_lines

CSV = """id,type,prompt,created_at,email
g1,ANALYSIS,Prove it,2024-01-02 09:30:00,ada@example.org
g2,IMAGE,Draw it,2024-01-03 09:30:00,ada@example.org
g3,ANALYSIS,,2024-01-04T09:30:00+01:00,
"""


def lines(file: Path) -> list[Any]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


async def test_a_file_of_generations(database: Database, tmp_path: Path) -> None:
    source, to = tmp_path / "generations.csv", tmp_path / "dreams.jsonl"
    source.write_text(CSV)

    assert await write_lines(source, to) == 2
    report = await import_files(database, [to], rejects_dir=tmp_path)

    async with database.read() as session:
        dreams = await session.records(Dream, Dream.select().order_by(Dream.id))
    assert report.failed == 0
    assert [
        (d.title, d.description, d.original_prompt, d.category, d.is_public, d.status)
        for d in dreams
    ] == [
        ("Migrated Dream", "Prove it", "Prove it", "OTHER", False, "ACTIVE"),
        ("Migrated Dream", "No description", None, "OTHER", False, "ACTIVE"),
    ]
    assert [dream.user_id is None for dream in dreams] == [False, True]
    assert [str(dream.created_at) for dream in dreams] == [
        "2024-01-02 09:30:00+00:00",
        "2024-01-04 08:30:00+00:00",
    ]


async def test_a_database_with_generations(database_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        """create table generations (id int, user_id text, type text, prompt text,
               created_at timestamptz);
           insert into generations values (7, null, 'ANALYSIS', 'Prove it', '2024-01-02 09:30Z')"""
    )
    await connection.close()

    assert await write_lines(connection_info(database_url), tmp_path / "dreams.jsonl") == 1

    [dream] = lines(tmp_path / "dreams.jsonl")
    assert (dream["key"], dream["createdAt"]) == ("generations:7", "2024-01-02T09:30:00+00:00")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,type\n", "generations.csv has no column created_at, prompt."),
        ("id,type,prompt,created_at\n1,ANALYSIS,x,never\n", "created_at holds no time"),
    ],
)
async def test_what_is_no_legacy_is_said(tmp_path: Path, text: str, message: str) -> None:
    source = tmp_path / "generations.csv"
    source.write_text(text)

    with pytest.raises(NotLegacy, match=message):
        await write_lines(source, tmp_path / "dreams.jsonl")


async def test_a_database_without_generations(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(NotLegacy, match="no table generations"):
        await write_lines(connection_info(database_url), tmp_path / "dreams.jsonl")
