"""Roles: what a caller may not read is neither offered nor asked for, and keys sign in."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from db import Database
from db.users import Role, User
from gateway.settings import Settings
from support import oidc_issuer
from support.console import browsing, sign_in
from support.factories import make_agent, make_alert, make_dream, make_user
from support.gateways import make_key, production
from support.running_gateway import Served, serving

WITHOUT_KEY = "401 (Unauthorized)"  # Chromium's remark on the request before the key is entered
ADMIN = ("users", "settings", "flags", "system")
OPERATORS = [
    "agents",
    "events",
    "metrics",
    "costs",
    "admin/users",
    "admin/settings",
    "admin/system",
    "alerts/rules",
    "alerts/webhooks",
    "alerts/deliveries",
]


@pytest.fixture
def settings() -> Settings:
    return production(drain_seconds=0, spread_seconds=0)


@pytest.fixture
async def served(settings: Settings, database: Database) -> AsyncIterator[Served]:
    await make_agent(database, agent_key="secret agent")
    async with serving(settings, database) as served:
        yield served


async def key_of(database: Database, settings: Settings, role: Role, **more: Any) -> str:
    user = await make_user(database, role=role, email=f"{role.lower()}@example.org")
    return (await make_key(database, settings, user_id=user.id, **more)).text


async def member(database: Database) -> Any:
    async with database.read() as session:
        found = await session.record(User, User.select().where(User.role == Role.MEMBER))
    assert found is not None
    return found


async def test_a_member_sees_no_pages_of_operators(
    served: Served, settings: Settings, database: Database
) -> None:
    key = await key_of(database, settings, Role.MEMBER)
    await make_alert(database, title="Of others")
    await make_alert(database, title="Own", user_id=(await member(database)).id)
    async with browsing(served.address, ignored=[WITHOUT_KEY]) as watched:
        page = watched.page
        refused: list[str] = []
        bodies: list[str] = []
        page.on("request", lambda request: bodies.append(request.post_data or ""))
        await page.goto(f"{served.address}/console")
        await sign_in(page, key)
        await page.get_by_text("member@example.org").wait_for()
        sections = await page.locator("nav.menu a").all_inner_texts()
        assert sections == ["Overview", "Dreams", "Models", "Alerts", "Admin"]
        page.on("response", lambda response: response.ok or refused.append(response.url))
        for path in OPERATORS:
            await page.evaluate(
                "path => { history.pushState(null, '', path) }", f"{served.address}/console/{path}"
            )
            await page.get_by_text("There is no such page for you.").wait_for()
        await page.get_by_role("link", name="Alerts").click()
        await page.get_by_text("Own").wait_for()
        assert await page.locator("tbody tr").count() == 1
        assert await page.get_by_role("button", name="Acknowledge").count() == 0
        await page.get_by_role("link", name="Admin").click()
        assert await page.locator("nav.subpages a").all_inner_texts() == ["Keys", "Audit trail"]
        assert "secret agent" not in await page.content()
        assert refused == []
        assert not [body for body in bodies if "agentStatus" in body or "spend" in body]


async def test_a_key_with_scopes_sees_what_they_allow(
    served: Served, settings: Settings, database: Database
) -> None:
    key = await key_of(database, settings, Role.OPERATOR, scopes=["agents:read"])
    async with browsing(served.address, ignored=[WITHOUT_KEY]) as watched:
        page = watched.page
        await page.goto(f"{served.address}/console/agents")
        await sign_in(page, key)
        await page.get_by_text("secret agent").wait_for()
        sections = await page.locator("nav.menu a").all_inner_texts()
        assert sections == ["Overview", "Agents", "Dreams", "Models"]
        await page.get_by_text("Signed in with a key").wait_for()


async def test_a_token_of_the_issuer_signs_in(database: Database) -> None:
    await make_user(database, role=Role.OPERATOR, email="ada@example.org")
    async with oidc_issuer.serving() as issuer:
        settings = production(
            drain_seconds=0,
            spread_seconds=0,
            oidc_issuer=issuer.url,
            oidc_audience=oidc_issuer.AUDIENCE,
        )
        async with (
            serving(settings, database) as served,
            browsing(served.address, ignored=[WITHOUT_KEY]) as watched,
        ):
            page = watched.page
            await page.goto(f"{served.address}/console")
            await page.get_by_label("API key or access token").fill(issuer.token(exp=1))
            await page.get_by_role("button", name="Sign in").click()
            await page.get_by_text("unknown, expired or revoked").wait_for()
            await sign_in(page, issuer.token())
            await page.get_by_text("ada@example.org").wait_for()
            await page.goto(f"{served.address}/console/agents")
            await sign_in(page, issuer.token())
            await page.get_by_text("LIVE", exact=True).wait_for()


async def test_an_unknown_key_is_refused_in_words(served: Served) -> None:
    async with browsing(served.address, ignored=[WITHOUT_KEY]) as watched:
        page = watched.page
        await page.goto(f"{served.address}/console")
        await page.get_by_label("API key or access token").fill("dn_nobody")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("This key is unknown, expired or revoked.").wait_for()


async def test_a_published_dream_is_shown_to_anonymous_clients(database: Database) -> None:
    published = await make_dream(database, title="Fly", is_public=True)
    hidden = await make_dream(database, title="Hidden", is_public=False)
    settings = production(drain_seconds=0, spread_seconds=0, public_read=True)
    async with serving(settings, database) as served, browsing(served.address) as watched:
        page = watched.page
        await page.goto(f"{served.address}/console/public/dreams/dream_{published.id.hex}")
        await page.get_by_role("heading", name="Fly").wait_for()
        await page.goto(f"{served.address}/console/public/dreams/dream_{hidden.id.hex}")
        await page.get_by_text("There is no published dream here.").wait_for()
        await page.goto(f"{served.address}/console")
        await page.locator("nav.menu").wait_for()
        sections = await page.locator("nav.menu a").all_inner_texts()
        assert sections == ["Overview", "Dreams", "Models"]
