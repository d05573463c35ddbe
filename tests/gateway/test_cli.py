"""The command line: what it prints, and the numbers it ends with."""

import asyncio
import gzip
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from db import Database
from db.core.schema import migrate
from support.databases import create_database, drop_database

Dreamnet = Callable[..., int]
SAMPLE = Path(__file__).parents[1] / "samples" / "everything.jsonl"
DREAM = next(line for line in SAMPLE.read_text().splitlines(True) if '"kind":"dream"' in line)


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """The URL of a database without tables."""
    url = asyncio.run(create_database(server_url))
    yield url
    asyncio.run(drop_database(server_url, url))


@pytest.mark.parametrize(
    "command", ["", "serve", "import", "schema", "doctor", "migrate", "migrate up", "migrate down"]
)
def test_help_is_complete(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert dreamnet(*command.split(), "--help") == 0
    printed = capsys.readouterr().out
    assert "Usage: dreamnet" in printed
    assert "0 all is well" in printed


@pytest.mark.parametrize("command", ["doctor", "migrate current"])
def test_production_needs_a_database(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert dreamnet(*command.split(), DREAMNET_ENV="production") == 2
    assert capsys.readouterr() == (
        "",
        "DREAMNET_ENV=production needs DATABASE_URL: the embedded database is for development.\n",
    )


@pytest.mark.parametrize("command", ["serve", "import file", "migrate up"])
def test_a_database_that_is_not_there(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Path("file").write_text(DREAM)
    url = "postgresql://dreamnet:hunter2@127.0.0.1:1/dreamnet"
    assert dreamnet(*command.split(), DATABASE_URL=url, DREAMNET_PORT=str(free_port())) == 3
    out, error = capsys.readouterr()
    assert error.startswith("The database at 127.0.0.1:1/dreamnet cannot be reached: ")
    assert error.count("\n") == 1
    assert "hunter2" not in out + error


def test_a_database_without_tables(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], empty_url: str
) -> None:
    assert dreamnet("serve", DATABASE_URL=empty_url, DREAMNET_PORT=str(free_port())) == 3
    assert capsys.readouterr().err == (
        f"The database {make_url(empty_url).database} on this machine has no tables yet: "
        "run `dreamnet migrate up`.\n"
    )


def test_a_database_that_takes_no_writes(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    name = make_url(database_url).database
    execute(database_url, f'alter database "{name}" set default_transaction_read_only = on')
    assert dreamnet("serve", DATABASE_URL=database_url, DREAMNET_PORT=str(free_port())) == 3
    expected = (
        f"The database {name} on this machine is read-only: point DATABASE_URL at the primary."
    )
    assert capsys.readouterr().err == f"{expected}\n"


def test_a_database_of_another_version(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    execute(database_url, "update dreamnet_version set version_num = '9999'")
    assert dreamnet("serve", DATABASE_URL=database_url, DREAMNET_PORT=str(free_port())) == 3
    known = f"is at revision 9999, and this version knows 0001 to {migrate.head()}: use the version"
    assert known in capsys.readouterr().err


def test_a_database_that_is_not_migrated_far_enough(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], empty_url: str
) -> None:
    assert dreamnet("migrate", "up", "0003", DATABASE_URL=empty_url) == 0
    assert dreamnet("serve", DREAMNET_PORT=str(free_port())) == 3
    remedy = f"works from {migrate.OLDEST} on: run `dreamnet migrate up`.\n"
    assert capsys.readouterr().err.endswith(remedy)


def test_a_port_that_is_taken(dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert dreamnet("serve", DREAMNET_PORT=str(port)) == 4
    assert capsys.readouterr().err == (
        f"Cannot listen on 127.0.0.1 port {port}: another program listens there: stop it, or set "
        "DREAMNET_PORT.\n"
    )


def test_migrations_up_and_down(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], empty_url: str
) -> None:
    assert dreamnet("migrate", "current", DATABASE_URL=empty_url) == 1
    assert dreamnet("migrate", "up") == 0
    assert dreamnet("migrate", "current") == 0
    assert dreamnet("migrate", "check") == 0
    assert dreamnet("migrate", "down", "base", "--yes") == 0
    assert dreamnet("migrate", "check") == 1
    head = migrate.head()
    assert capsys.readouterr().out.splitlines()[:5] == [
        "none",
        f"The database is at revision {head}.",
        str(head),
        "The tables are as the code declares them.",
        "The database is at revision none.",
    ]


def test_a_revision_that_does_not_exist(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dreamnet("migrate", "up", "9999") == 2
    assert capsys.readouterr().err == (
        f"There is no revision 9999: there are 0001 to {migrate.head()}.\n"
    )


def test_schema(dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]) -> None:
    assert dreamnet("schema") == 0
    printed = capsys.readouterr().out
    assert "type Query {" in printed
    assert dreamnet("schema", "--write", "schema.graphql") == 0
    assert Path("schema.graphql").read_text() == printed
    assert dreamnet("schema", "--check", "schema.graphql") == 0
    Path("schema.graphql").write_text(printed + "type Other { a: Int }\n")
    assert dreamnet("schema", "--check", "schema.graphql") == 1
    assert dreamnet("schema", "--check", "missing.graphql") == 1


def test_doctor_finds_nothing(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    assert dreamnet("doctor", DATABASE_URL=database_url) == 0
    printed = capsys.readouterr().out
    for expected in (
        "PostgreSQL 18",
        f"at {migrate.head()}",
        "as the code declares them",
        "GB free",
    ):
        assert expected in printed


def test_doctor_before_the_first_start(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dreamnet("doctor") == 0
    assert "not made yet" in capsys.readouterr().out
    assert not Path(".dreamnet").exists()


def test_doctor_finds_problems_and_keeps_secrets(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "postgresql://dreamnet:hunter2@127.0.0.1:1/dreamnet"
    assert dreamnet("doctor", DATABASE_URL=url, DREAMNET_PROT="1") == 1
    printed = capsys.readouterr().out
    assert "cannot be reached" in printed
    assert "DREAMNET_PROT" in printed
    assert "hunter2" not in printed


def test_doctor_knows_the_remedy(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], empty_url: str
) -> None:
    assert dreamnet("doctor", DATABASE_URL=empty_url) == 1
    assert "dreamnet migrate up" in capsys.readouterr().out


def test_import(dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str) -> None:
    Path("dreams.jsonl").write_text(DREAM)
    assert dreamnet("import", "dreams.jsonl", DATABASE_URL=database_url) == 0
    assert "Done in" in capsys.readouterr().out
    assert dreamnet("import", "dreams.jsonl") == 0
    assert "Nothing changed" in capsys.readouterr().out


def test_import_of_bad_lines(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    Path("dreams.jsonl").write_text(f"{DREAM}nonsense\n")
    assert dreamnet("import", "dreams.jsonl", DATABASE_URL=database_url) == 1
    printed = capsys.readouterr().out
    assert "dreams.jsonl, line 2: " in printed
    assert "1 line rejected, all of them in " in printed
    assert list(Path().glob("*.rejects.jsonl"))
    assert dreamnet("import", "--strict", "dreams.jsonl") == 1
    assert "Stopped at the first bad line" in capsys.readouterr().out


@pytest.mark.parametrize("option", [(), ("--legacy-generations",)])
@pytest.mark.parametrize(
    ("file", "why"), [("nothing", "No such file or directory"), (".", "Is a directory")]
)
def test_import_of_a_file_that_cannot_be_read(
    dreamnet: Dreamnet,
    capsys: pytest.CaptureFixture[str],
    option: tuple[str, ...],
    file: str,
    why: str,
) -> None:
    Path("dreams.jsonl").write_text(DREAM)
    assert dreamnet("import", "dreams.jsonl", *option, file) == 2
    assert capsys.readouterr() == ("", f"{file} cannot be read: {why}.\n")


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"", 0, "x.jsonl holds nothing to import."),
        (b"\xef\xbb\xbf\n", 0, "x.jsonl holds nothing to import."),
        (b"\xef\xbb\xbf" + DREAM.encode(), 0, "Done in"),
        (b"\xff\xfe{", 1, "x.jsonl, line 1: the line is not UTF-8 at byte 1"),
        (b"\x1f\x8bgarbage and more", 1, "x.jsonl, line 1: the file cannot be read on from here"),
        (gzip.compress(DREAM.encode())[:-9], 1, "the compressed file is cut off here"),
        (gzip.compress(DREAM.encode()) + b"tail", 1, "x.jsonl, line 2: the file cannot be read on"),
    ],
)
def test_import_of_odd_files(
    dreamnet: Dreamnet,
    capsys: pytest.CaptureFixture[str],
    database_url: str,
    content: bytes,
    code: int,
    said: str,
) -> None:
    Path("x.jsonl").write_bytes(content)
    assert dreamnet("import", "x.jsonl", DATABASE_URL=database_url) == code
    out, error = capsys.readouterr()
    assert said in out
    assert error == ""
    assert "everything was there" not in out


def test_import_from_a_pipe(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    reader, writer = os.pipe()
    os.write(writer, DREAM.encode())
    os.close(writer)
    assert dreamnet("import", f"/dev/fd/{reader}", DATABASE_URL=database_url) == 0
    os.close(reader)
    assert "Done in" in capsys.readouterr().out


def test_import_says_where_to_without_the_password(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    Path("dreams.jsonl").write_text(DREAM)
    url = database_url.replace("//postgres@", "//postgres:hunter2@")
    assert "hunter2" in url
    assert dreamnet("import", "dreams.jsonl", DATABASE_URL=url) == 0
    out, error = capsys.readouterr()
    name = make_url(database_url).database
    assert out.startswith(f"Importing into the database {name} on this machine.\n")
    assert "hunter2" not in out + error


def test_import_says_that_it_makes_a_database(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Path("dreams.jsonl").write_text(DREAM)
    expected = [
        f"Importing into a new database, {tmp_path}/other (embedded PostgreSQL).",
        f"Importing into {tmp_path}/other (embedded PostgreSQL).",
    ]
    for line in expected:
        assert dreamnet("import", "dreams.jsonl", DREAMNET_DATA_DIR="other") == 0
        assert capsys.readouterr().out.splitlines()[0] == line


def test_the_version(dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]) -> None:
    assert dreamnet("--version") == 0
    assert capsys.readouterr().out == f"dreamnet {version('dreamnet-gateway')}\n"


def test_old_generations(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    file = Path("generations.csv")
    file.write_text("id,type,prompt,created_at\n1,ANALYSIS,Fly,2024-01-01\n")

    assert dreamnet("import", "--legacy-generations", str(file), DATABASE_URL=database_url) == 0
    assert "generations.csv" in capsys.readouterr().out
    assert dreamnet("import", DATABASE_URL=database_url) == 2


def test_bad_rows_of_old_generations(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    rows = ["id,type,prompt,created_at", '1,ANALYSIS,"Fly\nhigh",2024-01-01', "2,ANALYSIS", ""]
    Path("old.csv").write_text("\n".join(rows))
    arguments = ("import", "--legacy-generations", "old.csv")
    assert dreamnet(*arguments, DATABASE_URL=database_url) == 1
    out, error = capsys.readouterr()
    assert "old.csv, line 4: the row has 2 fields and the header has 4" in out
    assert "all of them in old.csv.rejects.jsonl" in out
    assert error == ""
    assert Path("old.csv.rejects.jsonl").read_text().count("\n") == 1
    assert dreamnet(*arguments, "--strict") == 1
    assert "Stopped at the first bad line" in capsys.readouterr().out


def test_a_source_without_generations_is_refused(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(writer)
    assert dreamnet("import", "--legacy-generations", f"/dev/fd/{reader}") == 1
    assert "is a pipe" in capsys.readouterr().err
    os.close(reader)
    for content, why in (("", "is empty"), ("id;type\n", "has no column created_at, prompt")):
        Path("old.csv").write_text(content)
        assert dreamnet("import", "--legacy-generations", "old.csv") == 1
        said = f"The generations cannot be read: old.csv {why}.\n"
        assert capsys.readouterr() == ("", said)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def execute(url: str, statement: str) -> None:
    async def run() -> None:
        database = Database(url)
        async with database.write() as session:
            await session.execute(text(statement))
        await database.close()

    asyncio.run(run())


def test_commands_start_without_graphql() -> None:
    script = "import sys, gateway.cli.main; print(*{'graphql', 'strawberry'} & sys.modules.keys())"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "\n"
