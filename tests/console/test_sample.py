"""The sample: one click in an empty console of development imports it, and nothing else does."""

from pathlib import Path

import httpx2
import pytest

from db import Database
from db.users import Role
from gateway.console import sample
from gateway.settings import Settings
from support.console import browsing
from support.factories import make_user
from support.gateways import make_key, production
from support.running_gateway import serving

DEVELOPMENT = Settings(_env_file=None)
KEYED = Settings(_env_file=None, api_key_secret="a" * 32)
COUNTS = "{ dreams { totalCount } aiTests { totalCount } agents { totalCount } }"


async def counts(address: str) -> list[int]:
    async with httpx2.AsyncClient(timeout=20) as client:
        answer = await client.post(f"{address}/graphql", json={"query": COUNTS})
    return [each["totalCount"] for each in answer.json()["data"].values()]


async def test_one_click_imports_the_sample(database: Database) -> None:
    async with serving(DEVELOPMENT, database) as served, browsing(served.address) as watched:
        page = watched.page
        await page.goto(f"{served.address}/console/dreams")
        await page.get_by_text("There are no dreams yet.").wait_for()
        await page.get_by_role("button", name="Import sample data").click()
        await page.get_by_role("link", name="A song that moves").wait_for()
        await page.goto(f"{served.address}/console/agents")
        await page.locator("a.agent", has_text="prover").wait_for()
        assert await counts(served.address) == [2, 4, 1]


async def test_a_missing_sample_is_said_in_words(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "CHECKOUT", Path("/nowhere.jsonl"))
    ignored = ["404 (Not Found)"]  # Chromium's remark
    async with serving(DEVELOPMENT, database) as served, browsing(served.address, ignored) as seen:
        await seen.page.goto(f"{served.address}/console/dreams")
        await seen.page.get_by_role("button", name="Import sample data").click()
        await seen.page.get_by_text("This installation has no sample.").wait_for()


async def test_only_administrators_import_it(database: Database) -> None:
    user = await make_user(database, role=Role.OPERATOR)
    key = (await make_key(database, KEYED, user_id=user.id)).text
    async with serving(KEYED, database) as served, httpx2.AsyncClient(timeout=20) as client:
        address = f"{served.address}/console/sample"
        refused = await client.post(address, headers={"authorization": f"Bearer {key}"})
        assert (refused.status_code, refused.json()["errors"][0]["message"]) == (
            403,
            "Only administrators may import the sample.",
        )
        elsewhere = await client.post(address, headers={"origin": "https://example.org"})
        assert elsewhere.status_code in (401, 403)
        assert await counts(served.address) == [0, 0, 0]


async def test_production_has_no_sample(database: Database) -> None:
    async with (
        serving(production(drain_seconds=0, public_read=True), database) as served,
        httpx2.AsyncClient(timeout=20) as client,
    ):
        refused = await client.post(f"{served.address}/console/sample")
        page = await client.get(f"{served.address}/console")
        assert refused.status_code == 405
        assert '<meta name="sample" content="no">' in page.text
