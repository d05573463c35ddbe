"""`dreamnet archive`: months to a folder or a bucket and back, by settings."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import S3Store
from sqlalchemy import text

from db import Database
from gateway.settings import Settings
from support.archived import LONG_AGO, MONTH, fill
from support.commands import Dreamnet
from support.object_store import BUCKET, keys, object_store
from support.peak_memory import metrics_at, peak_memory
from support.rollups import roll
from support.stored_rows import execute

NAMED = f"{MONTH:%Y-%m}"


@pytest.fixture
def url(database_url: str) -> str:
    async def filled() -> None:
        database = Database(database_url)
        await fill(database)
        await database.close()

    asyncio.run(filled())
    return database_url


@pytest.fixture
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Store]:
    with object_store(tmp_path_factory.mktemp("buckets")) as store:
        yield store


def test_commands_need_names_that_exist(dreamnet: Dreamnet, database_url: str) -> None:
    variables = {"DATABASE_URL": database_url}
    assert dreamnet("archive", "run", **variables) == 2
    assert dreamnet("archive", "restore", "dreams", NAMED, **variables) == 2
    assert dreamnet("archive", "restore", "tests", "May", **variables) == 2
    assert dreamnet("archive", "restore", "tests", NAMED, **variables) == 1
    window = "--from", "2025-01-01T00:00:00Z", "--to", "2025-02-01T00:00:00Z"
    assert dreamnet("archive", "query", "tests", *window, "--where", "nothing=1") == 2


def test_a_month_is_archived_read_and_restored_in_a_bucket(
    dreamnet: Dreamnet, url: str, bucket: S3Store, capfd: pytest.CaptureFixture[str]
) -> None:
    variables = {
        "DATABASE_URL": url,
        "DREAMNET_ARCHIVE_NOUNS": "metrics,actions",
        "DREAMNET_ARCHIVE_AFTER_DAYS": "7",
        "DREAMNET_ARCHIVE_URL": f"s3://{BUCKET}/old",
    }
    assert dreamnet("archive", "run", **variables) == 0
    assert [key.rpartition("-")[0] for key in keys(bucket)] == [
        f"old/actions/{NAMED}",
        f"old/metrics/{NAMED}",
    ]
    capfd.readouterr()
    assert dreamnet("archive", "list") == 0
    assert capfd.readouterr().out.count(" archived ") == 2

    ends = (at.isoformat() for at in (LONG_AGO, LONG_AGO.replace(day=28)))
    since, until = ends
    assert dreamnet("archive", "query", "metrics", "--from", since, "--to", until) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.rstrip().split("\n")]
    assert len(rows) == 12
    assert {row["value"] for row in rows} == {-0.000001}

    assert dreamnet("archive", "restore", "metrics", NAMED) == 0
    assert capfd.readouterr().out == f"Restored 12 metrics of {NAMED}.\n"


def test_months_are_archived_before_they_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"archive_nouns": "tests", "archive_after_days": 100}
    assert Settings(_env_file=None, **settings, keep_tests_days=101).archive_after
    with pytest.raises(ValueError, match="DREAMNET_ARCHIVE_AFTER_DAYS must be less"):
        Settings(_env_file=None, **settings, keep_tests_days=100)
    with pytest.raises(ValueError, match="dreams is none of"):
        Settings(_env_file=None, archive_nouns="dreams")


def test_memory_does_not_grow_with_rows(url: str, tmp_path: Path) -> None:
    few = _peak(url, tmp_path, 10_000)
    many = _peak(url, tmp_path, 40_000)  # 20 MB of lines more
    assert many - few < 40_000  # KiB: a file has groups of rows of 8 MB


def _peak(url: str, folder: Path, count: int) -> int:
    """KiB of the larger of both: archiving so many metrics, and restoring them."""
    asyncio.run(_refill(url, count))
    variables = {
        "DATABASE_URL": url,
        "DREAMNET_ARCHIVE_NOUNS": "metrics",
        "DREAMNET_ARCHIVE_AFTER_DAYS": "7",
        "DREAMNET_ARCHIVE_URL": str(folder / "old"),
    }

    archived, out = peak_memory(folder, "archive", "run", "--restored", **variables)
    assert "Archived" in out
    restored, out = peak_memory(folder, "archive", "restore", "metrics", NAMED, **variables)
    assert f"{count:,}" in out
    return max(archived, restored)


async def _refill(url: str, count: int) -> None:
    database = Database(url)
    await execute(database, text("delete from performance_metrics"))
    await execute(database, text(metrics_at(f"timestamptz '{LONG_AGO.isoformat()}'", count)))
    await roll(database)
    await database.close()
