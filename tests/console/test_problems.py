"""Problems in words: keys that expire, rate limits, and a gateway that is not available."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from db import Database
from db.users import Role
from gateway.settings import Settings
from support.console import browsing, sign_in
from support.factories import make_user
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.wait import until

REMARKS = ["401 (Unauthorized)", "429 (Too Many Requests)", "503 (Service Unavailable)"]
REVOKE = """mutation Revoke($id: ID!) {
  revokeApiKey(input: { id: $id }) { errors { message } } }"""


@pytest.fixture
def settings() -> Settings:
    return production(drain_seconds=0, spread_seconds=0)


@pytest.fixture
async def served(settings: Settings, database: Database) -> AsyncIterator[Served]:
    async with serving(settings, database) as served:
        yield served


async def test_a_key_that_is_revoked_leads_back_to_the_form(
    served: Served, settings: Settings, database: Database
) -> None:
    user = await make_user(database, role=Role.ADMIN)
    first, second = [await make_key(database, settings, user_id=user.id) for _ in range(2)]
    async with browsing(served.address, ignored=REMARKS) as watched:
        page = watched.page
        await page.goto(f"{served.address}/console/dreams?order=title")
        await sign_in(page, first.text)
        await page.get_by_text("There are no dreams yet.").wait_for()
        async with httpx2.AsyncClient(timeout=20) as client:
            body = {"query": REVOKE, "variables": {"id": f"api_key_{first.record.id.hex}"}}
            headers = {"authorization": f"Bearer {second.text}"}
            answer = await client.post(f"{served.address}/graphql", json=body, headers=headers)
            assert answer.json()["data"]["revokeApiKey"]["errors"] == []
            await until(lambda: is_refused(client, served, first.text))
        await page.get_by_role("link", name="Models").click()
        await page.get_by_text("This key is unknown, expired or revoked.").wait_for()
        await sign_in(page, second.text)
        await page.get_by_text("No model was tested yet.").wait_for()


async def is_refused(client: httpx2.AsyncClient, served: Served, key: str) -> bool:
    headers = {"authorization": f"Bearer {key}"}
    body = {"query": "{ viewer { role } }"}
    answer = await client.post(f"{served.address}/graphql", json=body, headers=headers)
    return "errors" in answer.json()


async def test_a_rate_limit_says_when_to_try_again(database: Database) -> None:
    user = await make_user(database, role=Role.MEMBER)
    settings = production(drain_seconds=0, spread_seconds=0, budget_points_per_minute=1100)
    key = (await make_key(database, settings, user_id=user.id)).text
    async with (
        serving(settings, database) as served,
        browsing(served.address, ignored=REMARKS) as watched,
    ):
        page = watched.page
        await page.goto(f"{served.address}/console/dreams")
        await sign_in(page, key)
        await page.get_by_role("link", name="Models").click()
        note = page.get_by_role("alert").filter(has_text="Try again in").first
        await note.wait_for()
        await note.get_by_role("button", name="Try again").wait_for()


async def test_a_database_that_does_not_answer_is_said() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    settings = Settings(_env_file=None)
    async with (
        serving(settings, nowhere) as served,
        browsing(served.address, ignored=REMARKS) as watched,
    ):
        await watched.page.goto(f"{served.address}/console/dreams")
        note = watched.page.get_by_role("alert").filter(has_text="Try again in a moment.").first
        await note.get_by_role("button", name="Try again").wait_for()
