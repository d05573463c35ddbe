"""The README is true: its query on its data gives its answer."""

import re
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
