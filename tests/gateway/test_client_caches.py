"""The caches of Apollo, Relay, TanStack Query and urql, after mutations that fail and succeed."""

import shutil
from contextlib import AsyncExitStack
from pathlib import Path

import orjson
import pytest

from db import Database
from db.users import Role
from support.browser import chromium
from support.factories import make_ai_model, make_dream, make_user
from support.gateways import make_key, production
from support.nodejs import TESTS, installed, locked, run
from support.running_gateway import serving

FOLDER = TESTS / "caches"
SHORT = "This text must have 1 to 200 characters."
NO_NODE = "Warning: MutationHandlers: Expected target node to exist."  # of Relay's @prependNode
GONE = "There is no such thing, or you may not see it."
SETTINGS = production(cors_origins="http://127.0.0.1:*")
STEPS = {
    "loaded": ["Swim"],
    "pages": [["a", "b"], ["a", "b", "c", "d"], ["a", "b", "c", "d", "e"]],
    "failed": [[SHORT], ["Swim"]],
    "created": ["Fly", "Swim"],
    "edited": ["Soar", "Swim"],
    "removed": ["Swim"],
    "again": [[GONE], ["Swim"]],
}
CLIENTS = ("apollo", "relay", "tanstack", "urql")
EXPECTED = {"shown": dict.fromkeys(CLIENTS, STEPS), "complaints": [NO_NODE]}


Key = str


@pytest.fixture
async def key(database: Database) -> Key:
    """A key of a member with a dream, in a database with five models."""
    user = await make_user(database, role=Role.MEMBER)
    await make_dream(database, user_id=user.id, title="Swim")
    for name in "abcde":
        await make_ai_model(database, name=name)
    return str((await make_key(database, SETTINGS, user_id=user.id)).text)


@pytest.fixture
async def project(shared_folder: Path) -> Path:
    """A copy of the clients with what Relay's compiler and gql.tada make, which the first worker
    that needs it makes for all; the types are checked."""
    await installed(FOLDER)
    project = shared_folder / "caches"
    with locked(FOLDER / "tsconfig.json"):
        if not project.exists():
            await compile_into(project)
    return project


async def compile_into(project: Path) -> None:
    part = project.with_suffix(".part")
    shutil.copytree(FOLDER, part, ignore=shutil.ignore_patterns("node_modules"))
    (part / "node_modules").symlink_to(FOLDER / "node_modules")
    shutil.copy(TESTS.parent / "schema.graphql", part)
    await run("node", "node_modules/relay-compiler/cli.js", folder=part)
    await run("node", "node_modules/.bin/gql.tada", "generate-output", folder=part)
    await run("node", "node_modules/typescript/bin/tsc", "--project", ".", folder=part)
    part.rename(project)


async def test_caches_follow_mutations(
    database: Database, key: Key, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `possibleTypes`, a schema, or, in Relay, functions that update its store."""
    monkeypatch.setenv("DREAMNET_KEY", key)
    async with serving(SETTINGS, database) as served:
        printed = await run("node", "drive.ts", f"{served.address}/graphql", folder=project)
    assert orjson.loads(printed) == EXPECTED


async def test_caches_follow_mutations_in_a_page_of_another_origin(
    database: Database, key: Key, project: Path
) -> None:
    bundle = ("page.ts", "--bundle", "--format=esm", "--outfile=page.js", "--log-level=error")
    await run("node", "node_modules/esbuild/bin/esbuild", *bundle, folder=project)
    async with AsyncExitStack() as stack:
        site, served = [
            (await stack.enter_async_context(serving(SETTINGS, database))).address for _ in range(2)
        ]
        page = await (await stack.enter_async_context(chromium())).new_page()
        await page.goto(f"{site}/livez")
        await page.add_script_tag(path=project / "page.js", type="module")
        await page.wait_for_function("() => Boolean(globalThis.playAll)")
        arguments = [f"{served}/graphql", f"Bearer {key}"]
        result = await page.evaluate("([url, key]) => playAll(url, key)", arguments)
    assert result == EXPECTED
