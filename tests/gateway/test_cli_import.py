"""`dreamnet import`: what it prints and rejects, and its exit codes."""

import gzip
import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from support.commands import Dreamnet

SAMPLE = Path(__file__).parents[1] / "samples" / "everything.jsonl"

DREAM = next(line for line in SAMPLE.read_text().splitlines(True) if '"kind":"dream"' in line)


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
        (b"", 0, "x.jsonl has nothing to import."),
        (b"\xef\xbb\xbf\n", 0, "x.jsonl has nothing to import."),
        (b"\xef\xbb\xbf" + DREAM.encode(), 0, "Done in"),
        (b"\xff\xfe{", 1, "x.jsonl, line 1: the line is not UTF-8 at byte 1"),
        (b"\x1f\x8bgarbage and more", 1, "x.jsonl, line 1: the rest of the file cannot be read"),
        (gzip.compress(DREAM.encode())[:-9], 1, "the compressed file is truncated here"),
        (
            gzip.compress(DREAM.encode()) + b"tail",
            1,
            "x.jsonl, line 2: the rest of the file cannot be read",
        ),
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
    assert "everything was imported" not in out


def test_import_from_a_pipe(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    reader, writer = os.pipe()
    os.write(writer, DREAM.encode())
    os.close(writer)
    assert dreamnet("import", f"/dev/fd/{reader}", DATABASE_URL=database_url) == 0
    os.close(reader)
    assert "Done in" in capsys.readouterr().out


def test_import_names_the_database_without_the_password(
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


def test_import_reports_a_new_database(
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
