"""A killed import, or server, loses no reported batch, and the import is resumed."""

import asyncio
import gzip
import json
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from db import Database
from db.core.embedded import Embedded
from db.core.schema import migrate
from db.importer import import_files

LINES = 80_000
IMPORT = """
import asyncio, sys
from pathlib import Path
from db import Database
from db.importer import import_files

def tell(progress):
    print(progress.rows, flush=True)

asyncio.run(import_files(Database(sys.argv[1]), [Path(sys.argv[2])], progress=tell))
"""


async def test_an_import_killed_with_its_server_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl.gz"
    path.write_bytes(gzip.compress(b"\n".join(map(metric, range(LINES)))))
    embedded = Embedded(tmp_path / "postgres")
    with embedded as url:
        await migrate.upgrade(url)
        received = await rows_until_killed(url, path, embedded)
    with embedded as url:
        database = Database(url)
        stored = await count(database)
        assert received <= stored < LINES
        report = await import_files(database, [path], rejects_dir=tmp_path)
        counts = report.files[0].kinds["metric"]
        assert (counts.unchanged, counts.inserted) == (stored, LINES - stored)
        assert await count(database) == LINES
        await database.close()


async def rows_until_killed(url: str, path: Path, embedded: Embedded) -> int:
    """Kills the importer and the server after the second batch; returns the rows told of."""
    importer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", IMPORT, url, str(path)),
        stdout=asyncio.subprocess.PIPE,
        cwd=path.parent,
    )
    assert importer.stdout
    await importer.stdout.readline()
    await importer.stdout.readline()
    assert embedded.server.pid
    os.kill(embedded.server.pid, signal.SIGKILL)
    importer.kill()
    rest = await importer.stdout.read()
    await importer.wait()
    return max(4000, *map(int, rest.split()), 0)


async def count(database: Database) -> int:
    async with database.read() as session:
        return int(await session.scalar(text("select count(*) from performance_metrics")))


def metric(number: int) -> bytes:
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    line = {"kind": "metric", "metricName": "cpu", "value": str(number), "tags": {}}
    return json.dumps(line | {"timestamp": at.isoformat()}).encode()
