"""The caches of Apollo, Relay, TanStack Query and urql, after mutations that fail and succeed."""

import shutil
from pathlib import Path

import orjson
import pytest

from db import Database
from db.users import Role
from support.factories import make_ai_model, make_dream, make_user
from support.gateways import make_key, production
from support.nodejs import TESTS, installed, run
from support.running_gateway import serving

FOLDER = TESTS / "caches"
SHORT = "This text must have 1 to 200 characters."
NO_NODE = "Warning: MutationHandlers: Expected target node to exist."  # of Relay's @prependNode
GONE = "There is no such thing, or you may not see it."
STEPS = {
    "loaded": ["Swim"],
    "pages": [["a", "b"], ["a", "b", "c", "d"], ["a", "b", "c", "d", "e"]],
    "failed": [[SHORT], ["Swim"]],
    "created": ["Fly", "Swim"],
    "edited": ["Soar", "Swim"],
    "removed": ["Swim"],
    "again": [[GONE], ["Swim"]],
}


async def test_caches_follow_mutations(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `possibleTypes`, a schema, or, in Relay, functions that update its store."""
    settings = production()
    user = await make_user(database, role=Role.MEMBER)
    await make_dream(database, user_id=user.id, title="Swim")
    for name in "abcde":
        await make_ai_model(database, name=name)
    key = (await make_key(database, settings, user_id=user.id)).text
    monkeypatch.setenv("DREAMNET_KEY", key)
    await installed(FOLDER)
    project = await compiled(tmp_path)

    async with serving(settings, database) as served:
        printed = await run("node", "drive.ts", f"{served.address}/graphql", folder=project)

    result = orjson.loads(printed)
    assert result["complaints"] == [NO_NODE]
    assert result["shown"] == dict.fromkeys(("apollo", "relay", "tanstack", "urql"), STEPS)


async def compiled(folder: Path) -> Path:
    """A copy of the clients with what Relay's compiler and gql.tada make; the types are checked."""
    project = folder / "caches"
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("node_modules"))
    (project / "node_modules").symlink_to(FOLDER / "node_modules")
    shutil.copy(TESTS.parent / "schema.graphql", project)
    await run("node", "node_modules/relay-compiler/cli.js", folder=project)
    await run("node", "node_modules/.bin/gql.tada", "generate-output", folder=project)
    await run("node", "node_modules/typescript/bin/tsc", "--project", ".", folder=project)
    return project
