"""Sizes: bytes on the wire of typical screens, by encoding, and of their requests by text and hash.

The files that are named are imported first.
"""

import argparse
import asyncio
import os
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import httpx2
import orjson
from graphql import get_introspection_query

from db import Database
from db.core.embedded import Embedded
from db.core.schema import migrate
from db.importer import import_files

ENCODINGS = ("identity", "gzip", "br", "zstd")
LIST = """query Dreams { dreams(first: 20) {
  nodes { id title status category tags createdAt latestProgress { averageImpossibility } }
  pageInfo { hasNextPage endCursor } totalCount } }"""
TEXTS = "query Texts { dreams(first: 100) { nodes { id title description originalPrompt tags } } }"
TESTS = """query Tests { aiTests(first: 50) { nodes {
  id provider model status impossibilityScore confidence durationMs tokensUsed cost completedAt
  dream { id title } } pageInfo { hasNextPage endCursor } } }"""
DASHBOARD = """query Dashboard {
  modelComparison(from: "2020-01-01T00:00:00Z") {
    rows { provider model averageScore averageDurationMs testCount totalCost }
  }
  categoryPerformance(from: "2020-01-01T00:00:00Z") { rows { category averageScore testCount } }
}"""
SCREENS = {
    "list of 20 dreams": LIST,
    "100 dreams with their texts": TEXTS,
    "50 tests with their dreams": TESTS,
    "comparison of models and categories": DASHBOARD,
    "introspection": get_introspection_query(),
}


@asynccontextmanager
async def gateway(folder: Path, files: list[Path]) -> AsyncIterator[str]:
    """The address of a gateway over the rows of some files."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    embedded = Embedded(folder / "postgres")
    url = await asyncio.to_thread(embedded.start)
    await migrate.upgrade(url)
    database = Database(url)
    await import_files(database, files, rejects_dir=folder)
    await database.close()
    settings = {"DATABASE_URL": url, "DREAMNET_PORT": str(port), "DREAMNET_LOG_LEVEL": "warning"}
    command = sys.executable, "-m", "gateway", "serve"
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=os.environ | settings, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout  # noqa: S101  it is a pipe
        await process.stdout.readline()
        yield f"http://127.0.0.1:{port}/graphql"
    finally:
        process.terminate()
        await process.communicate()
        await asyncio.to_thread(embedded.stop)


async def received(http: httpx2.AsyncClient, url: str, query: str, encoding: str) -> int:
    """Bytes of the body of a response as it was sent."""
    headers = {"accept-encoding": encoding}
    async with http.stream("POST", url, json={"query": query}, headers=headers) as response:
        body = b"".join([chunk async for chunk in response.aiter_raw()])
    if encoding == "identity" and "errors" in orjson.loads(body):
        raise SystemExit(body.decode())
    return len(body)


async def main(options: argparse.Namespace) -> None:
    """Print the table."""
    columns = [f"{each} B" for each in ENCODINGS]
    print("| screen |", " | ".join([*columns, "document B", "by hash B"]), "|")  # noqa: T201  its purpose
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder), options.files) as url, httpx2.AsyncClient() as http:
            for name, query in SCREENS.items():
                sizes = [await received(http, url, query, each) for each in ENCODINGS]
                by_hash = {"documentId": f"sha256:{sha256(query.encode()).hexdigest()}"}
                sizes += [len(orjson.dumps(each)) for each in ({"query": query}, by_hash)]
                print(f"| {name} |", " | ".join(f"{size:,}" for size in sizes), "|")  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    asyncio.run(main(parser.parse_args()))
