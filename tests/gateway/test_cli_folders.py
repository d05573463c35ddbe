"""Commands in folders, and with files, that they cannot use."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from db import Database
from support.factories import make_user
from support.ports import free_port

Dreamnet = Callable[..., int]
NOT_WRITABLE = "/proc"  # not even for root
SAMPLE = Path(__file__).parents[1] / "samples" / "everything.jsonl"
DREAM = next(line for line in SAMPLE.read_text().splitlines(True) if '"kind":"dream"' in line)


def test_import_where_rejects_cannot_be_written(
    dreamnet: Dreamnet,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    database_url: str,
) -> None:
    bad, good = (tmp_path / f"{name}.jsonl" for name in ("bad", "good"))
    bad.write_text(f"nonsense\n{DREAM}")
    good.write_text(DREAM.replace("sample:", "other:"))
    monkeypatch.chdir(NOT_WRITABLE)
    assert dreamnet("import", str(good), DATABASE_URL=database_url) == 0
    capsys.readouterr()

    assert dreamnet("import", str(bad), str(good)) == 1
    *_, why, verdict = capsys.readouterr().out.splitlines()
    assert why == "bad.jsonl: 1 line rejected"
    assert verdict.startswith("Stopped: bad.jsonl.rejects.jsonl cannot be written: ")
    assert verdict.endswith(". Run it again in a writable folder, or set --rejects-dir to one.")
    assert dreamnet("import", str(bad), "--rejects-dir", str(tmp_path)) == 1
    assert (tmp_path / "bad.jsonl.rejects.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--write", f"{NOT_WRITABLE}/x"], f"{NOT_WRITABLE}/x cannot be written: "),
        (["--check", "."], ". cannot be read: "),
    ],
)
def test_schema_and_files_that_do_not_allow_it(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert dreamnet("schema", *arguments) == 2
    assert capsys.readouterr().err.startswith(sentence)


@pytest.mark.parametrize(
    "command", ["serve", "import file", "migrate current", "migrate up", "keys list"]
)
def test_a_folder_that_cannot_hold_the_database(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    Path("file").write_text(DREAM)
    folder = f"{NOT_WRITABLE}/data"
    variables = {"DREAMNET_DATA_DIR": folder, "DREAMNET_PORT": str(free_port())}
    assert dreamnet(*command.split(), **variables) == 3
    error = capsys.readouterr().err
    assert error.startswith(f"The folder {folder} is not usable: ")
    assert error.endswith(
        "Set DREAMNET_DATA_DIR to a writable folder, or DATABASE_URL to a server.\n"
    )


@pytest.mark.parametrize("command", ["serve", "keys create --user ada --service ci"])
def test_a_folder_that_cannot_hold_the_pepper(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str, command: str
) -> None:
    asyncio.run(_add_user(database_url, "ada"))
    folder = f"{NOT_WRITABLE}/data"
    variables = {"DREAMNET_DATA_DIR": folder, "DREAMNET_PORT": str(free_port())}
    assert dreamnet(*command.split(), DATABASE_URL=database_url, **variables) == 2
    error = capsys.readouterr().err
    assert error.startswith("The secret that API keys are hashed with cannot be kept in /proc/data")


def test_doctor_finds_a_folder_that_cannot_be_written(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dreamnet("doctor", DREAMNET_DATA_DIR=f"{NOT_WRITABLE}/data") == 1
    assert "Set DREAMNET_DATA_DIR to a writable folder." in capsys.readouterr().out


def test_a_data_folder_in_the_home_folder(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Path(".env").write_text("DREAMNET_DATA_DIR=~/gateway\n")
    assert dreamnet("keys", "list", HOME=str(tmp_path)) == 0
    assert (tmp_path / "gateway" / "data").is_dir()
    assert not Path("~").exists()


async def _add_user(url: str, email: str) -> None:
    database = Database(url)
    await make_user(database, email=email)
    await database.close()
