"""Commands on a database that cannot be used, and the findings of `dreamnet doctor`."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import make_url

from db.core.schema import revisions
from support.commands import Dreamnet
from support.databases import execute
from support.ports import free_port

SAMPLE = Path(__file__).parents[1] / "samples" / "everything.jsonl"

DREAM = next(line for line in SAMPLE.read_text().splitlines(True) if '"kind":"dream"' in line)


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
    asyncio.run(
        execute(database_url, f'alter database "{name}" set default_transaction_read_only = on')
    )
    assert dreamnet("serve", DATABASE_URL=database_url, DREAMNET_PORT=str(free_port())) == 3
    expected = (
        f"The database {name} on this machine is read-only: point DATABASE_URL at the primary."
    )
    assert capsys.readouterr().err == f"{expected}\n"


def test_a_database_of_another_version(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    asyncio.run(execute(database_url, "update dreamnet_version set version_num = '9999'"))
    assert dreamnet("serve", DATABASE_URL=database_url, DREAMNET_PORT=str(free_port())) == 3
    known = (
        f"is at revision 9999, and this version knows 0001 to {revisions.head()}: use the version"
    )
    assert known in capsys.readouterr().err


def test_a_database_that_is_not_migrated_far_enough(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], empty_url: str
) -> None:
    known = revisions.revisions()
    remedy = f"works from {revisions.oldest()} on: run `dreamnet migrate up`.\n"
    for number in ("0003", known[known.index(revisions.oldest()) - 1]):
        assert dreamnet("migrate", "up", number, DATABASE_URL=empty_url) == 0
        assert dreamnet("serve", DREAMNET_PORT=str(free_port())) == 3
        assert capsys.readouterr().err.endswith(remedy)


def test_doctor_finds_nothing(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    assert dreamnet("doctor", DATABASE_URL=database_url) == 0
    printed = capsys.readouterr().out
    for expected in (
        "PostgreSQL 18",
        f"at {revisions.head()}",
        "match the code",
        "GB free",
    ):
        assert expected in printed


def test_doctor_before_the_first_start(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dreamnet("doctor") == 0
    assert "not created yet" in capsys.readouterr().out
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
