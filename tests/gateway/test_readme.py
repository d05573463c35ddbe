"""The README is true: its query on its data gives its answer."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2

from db import Database
from db.importer import import_files

ROOT = Path(__file__).parents[2]


async def test_the_first_query_has_the_answer_that_the_readme_shows(
    client: httpx2.AsyncClient, database: Database, tmp_path: Path
) -> None:
    readme = (ROOT / "README.md").read_text()
    sample = re.findall(r"dreamnet import (\S+)", readme)
    body = re.findall(r"-d '(.+)'", readme)
    answer = re.findall(r'^    (\{"data".+)$', readme, re.MULTILINE)
    await import_files(database, [ROOT / name for name in sample], rejects_dir=tmp_path)

    response = await client.post(
        "/graphql", content=body[0], headers={"content-type": "application/json"}
    )

    assert [response.text] == answer


async def test_the_first_subscription_begins_with_a_snapshot(address: str) -> None:
    readme = (ROOT / "README.md").read_text()
    [body] = re.findall(r"--data '(.+)'", readme)
    accept = {"accept": "text/event-stream", "content-type": "application/json"}
    async with (
        httpx2.AsyncClient(timeout=20) as client,
        client.stream("POST", f"{address}/graphql", content=body, headers=accept) as response,
    ):
        data = [line async for line in _first_lines(response) if line.startswith("data: ")]

    update = json.loads(data[0].removeprefix("data: "))["data"]["agentStatus"]
    assert (update["kind"], update["agents"]) == ("SNAPSHOT", [])


async def _first_lines(response: httpx2.Response) -> AsyncIterator[str]:
    """Up to the end of the first message."""
    async for line in response.aiter_lines():
        yield line
        if line.startswith("data: "):
            return
