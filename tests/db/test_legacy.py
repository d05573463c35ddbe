"""Old generations become dreams, from a file and from a database alike."""

import gzip
import re
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from db import Database
from db.core.connections.url import connection_info
from db.dreams import Dream
from db.importer import Counts, FileReport, import_files
from db.importer.legacy import Generations, NotLegacy, write_lines
from db.importer.lines import LONGEST

CSV = """id,type,prompt,created_at,email
g1,ANALYSIS,Prove it,2024-01-02 09:30:00,ada@example.org
g2,IMAGE,Draw it,2024-01-03 09:30:00,ada@example.org
g3,ANALYSIS,,2024-01-04T09:30:00+01:00,
"""


def lines(file: Path) -> list[Any]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def source(file: Path, content: bytes) -> Generations:
    file.write_bytes(content)
    return Generations(file)


async def load(database: Database, file: Path, content: bytes) -> FileReport:
    sources = [source(file, content)]
    [report] = (await import_files(database, sources, rejects_dir=file.parent)).files
    return report


async def stored(database: Database) -> list[Any]:
    async with database.read() as session:
        return await session.records(Dream, Dream.select().order_by(Dream.id))


def rejected(report: FileReport) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in report.rejects]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "generations.csv"


async def test_a_file_of_generations(database: Database, file: Path) -> None:
    assert rejected(await load(database, file, CSV.encode())) == []

    dreams = await stored(database)
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
    again = await load(database, file, CSV.encode())
    assert again.kinds["dream"] == Counts(unchanged=2)


@pytest.mark.parametrize(
    "written",
    [
        CSV.encode("utf-8-sig"),
        CSV.replace("\n", "\r\n").encode(),
        CSV.replace(",", ";").encode(),
        CSV.replace(",", "\t").encode(),
        b"\n\n" + CSV.replace("\n", "\n\n").encode(),
        gzip.compress(CSV.encode()),
        CSV.replace("id,type", '"id", type', 1).encode(),
        CSV.replace("\n", ",more\n").encode(),
    ],
    ids=["bom", "crlf", "semicolons", "tabs", "blank lines", "gzip", "quoted", "more columns"],
)
async def test_ways_in_which_the_same_file_is_written(
    database: Database, file: Path, written: bytes
) -> None:
    assert rejected(await load(database, file, written)) == []
    prompts = [dream.original_prompt for dream in await stored(database)]
    assert prompts == ["Prove it", None]


BAD = b"""id,type,prompt,created_at,email
g1,ANALYSIS,"Prove
it, at
last",2024-01-02 09:30:01,
g2,ANALYSIS,short
g3,ANALYSIS,long,2024-01-02 09:30:00,,,,
g4,ANALYSIS,caf\xe9,2024-01-02 09:30:00,
g5,ANALYSIS,never,20240102,
g6,ANALYSIS,"open,2024-01-02 09:30:00,
g7,ANALYSIS,"closed",2024-01-02 09:30:02,
g8,ANALYSIS,zero\0,2024-01-02 09:30:00,
g9,ANALYSIS,"text" after,2024-01-02 09:30:00,
g10,ANALYSIS,address,2024-01-02 09:30:00,nobody
,ANALYSIS,without id,2024-01-02 09:30:00,
g11,ANALYSIS,tomorrow,2999-01-02 09:30:00,
g12,IMAGE,not a dream,never,
g13,ANALYSIS,"a ""quoted"" word",2024-01-02 09:30:03.5,
g14,ANALYSIS,"to the end,2024-01-02 09:30:00,
"""
NOT_A_TIME = "must be a time such as 2024-01-31 12:00:00, UTC unless it has a zone"


async def test_a_bad_row_costs_only_itself_and_is_found_by_its_line(
    database: Database, file: Path
) -> None:
    report = await load(database, file, BAD)

    prompts = [dream.original_prompt for dream in await stored(database)]
    assert prompts == ["Prove\nit, at\nlast", "closed", 'a "quoted" word']
    assert report.rejects_path is not None
    rejects = [orjson.loads(text) for text in report.rejects_path.read_bytes().splitlines()]
    assert [(reject["line"], reject["reason"]) for reject in rejects] == [
        (5, "the row has 3 fields and the header has 5"),
        (6, "the row has 8 fields and the header has 5"),
        (7, "the row is not UTF-8"),
        (8, f"created_at {NOT_A_TIME}"),
        (9, "text follows the closing quote of a field"),
        (11, "a text contains the character U+0000, which PostgreSQL cannot store"),
        (12, "text follows the closing quote of a field"),
        (13, "email must be an e-mail address, such as name@example.org"),
        (14, "id must not be empty"),
        (15, "created_at must not be in the future"),
        (18, "a quoted field is not closed"),
    ]
    original = BAD.decode(errors="backslashreplace").splitlines()
    assert [reject["text"] for reject in rejects] == [original[n["line"] - 1] for n in rejects]


async def test_a_rejected_row_shows_all_of_its_lines(database: Database, file: Path) -> None:
    row = b'g1,ANALYSIS,"Prove\nit","never\never"'
    report = await load(database, file, b"id,type,prompt,created_at\n" + row + b"\ng2,IMAGE,,\n")
    [reject] = report.rejects
    assert (reject.line, reject.reason, reject.text) == (2, f"created_at {NOT_A_TIME}", row)


async def test_a_long_prompt_is_kept_whole(database: Database, file: Path) -> None:
    prompt = "word " * 20_000
    row = f"id,type,prompt,created_at\n1,ANALYSIS,{prompt},2024-01-01\n"
    assert rejected(await load(database, file, row.encode())) == []
    [dream] = await stored(database)
    assert dream.original_prompt == prompt


async def test_a_row_that_is_too_long_costs_only_itself(database: Database, file: Path) -> None:
    row = b"1,ANALYSIS,%s,2024-01-01\n" % (b"x" * LONGEST)
    many = b'2,ANALYSIS,"' + (b"x" * 99_999 + b"\n") * (LONGEST // 100_000 + 1) + b'",2024-01-01\n'
    good = b"3,ANALYSIS,good,2024-01-01\n"
    report = await load(database, file, b"id,type,prompt,created_at\n" + row + many + good)
    assert rejected(report)[:2] == [
        (2, "the line is longer than 16,777,216 bytes"),
        (3, "the row is longer than 16,777,216 bytes"),
    ]
    assert [dream.original_prompt for dream in await stored(database)] == ["good"]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-01-02", "2024-01-02 00:00:00+00:00"),
        ("2024-01-02 09:30", "2024-01-02 09:30:00+00:00"),
        ("2024-01-02T09:30:00.123Z", "2024-01-02 09:30:00.123000+00:00"),
        ("2024-01-02 09:30:00.123456+00", "2024-01-02 09:30:00.123456+00:00"),
        ("2024-01-02 09:30:00 UTC", "2024-01-02 09:30:00+00:00"),
        ("2024-01-02 09:30:00 -0130", "2024-01-02 11:00:00+00:00"),
        *(
            (text, None)
            for text in ("", "never", "20240102", "1704187800", "2024-W01-2", "infinity")
        ),
        *((text, None) for text in ("2024-02-30", "2024-01-02 24:00:00", "2024-01-02+01")),
        *((text, None) for text in ("2024-01-02 09:30:60", "0044-03-15 00:00:00 BC", "01/02/2024")),
    ],
)
async def test_times_of_generations(
    database: Database, file: Path, text: str, time: str | None
) -> None:
    row = f"id,type,prompt,created_at\n1,ANALYSIS,x,{text}\n"
    report = await load(database, file, row.encode())
    assert [str(dream.created_at) for dream in await stored(database)] == ([time] if time else [])
    assert [line for line, _ in rejected(report)] == ([] if time else [2])


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
    ("content", "message"),
    [
        (b"", "generations.csv is empty."),
        (b"\xef\xbb\xbf\r\n", "generations.csv is empty."),
        (b"id,type\n", "generations.csv has no column created_at, prompt."),
        (
            b"1,ANALYSIS,x,2024-01-01\n",
            "generations.csv has no column created_at, id, prompt, type.",
        ),
        (b"id,type,prompt,id,created_at\n", "generations.csv has the column id twice."),
        (b"\x1f\x8bnonsense", "generations.csv is compressed and damaged"),
        (b"\0\xff\xfe", "generations.csv has no column created_at, id, prompt, type."),
    ],
)
def test_an_invalid_legacy_source_is_reported(file: Path, content: bytes, message: str) -> None:
    with pytest.raises(NotLegacy, match=re.escape(message)):
        source(file, content)


TIMES = """
create table generations (id int, user_id text, type text, prompt text, created_at timestamp);
insert into generations values
  (7, null, 'ANALYSIS', 'Prove it', '2024-01-02 09:30'),
  (8, null, 'ANALYSIS', 'Prove it', null),
  (9, null, 'ANALYSIS', 'Prove it', 'infinity');
do $$ begin
  execute format('alter database %I set timezone = %L', current_database(), 'America/New_York');
end $$
"""


async def test_a_database_prints_times_in_utc(database_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(TIMES)
    await connection.close()

    assert await write_lines(connection_info(database_url), tmp_path / "dreams.jsonl") == 3

    times = [dream["createdAt"] for dream in lines(tmp_path / "dreams.jsonl")]
    assert times == ["2024-01-02T09:30:00Z", "infinity", None]


async def test_a_database_without_generations(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(NotLegacy, match="no table generations"):
        await write_lines(connection_info(database_url), tmp_path / "dreams.jsonl")
