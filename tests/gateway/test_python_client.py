"""A Python client that ariadne-codegen generates, in an environment of its own: it needs an older
GraphQL library than the gateway."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

import db
from db import Database
from gateway.settings import Settings
from support.client_processes import PEPPER, Gateway
from support.factories import make_ai_model, make_dream, make_user
from support.gateways import make_key
from support.mutations import stored
from support.nodejs import TESTS, locked
from support.wait import patience

FOLDER = TESTS / "front_ends" / "python"
ENVIRONMENT = FOLDER / ".venv"


async def run(*command: str | Path, folder: Path = FOLDER) -> None:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=PIPE, stderr=PIPE)
    printed = await process.communicate()
    assert process.returncode == 0, b"".join(printed).decode()


async def installed() -> None:
    """Install what the lock file pins, once; other workers wait for the first."""
    stamp, lock = ENVIRONMENT / "installed", FOLDER / "requirements.lock"
    with locked(lock):
        if stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
            return
        await run(sys.executable, "-m", "venv", ENVIRONMENT)
        pip = (ENVIRONMENT / "bin" / "python", "-m", "pip", "install", "--quiet")
        await run(*pip, "--require-hashes", "-r", lock)
        stamp.touch()


@pytest.fixture
async def project(tmp_path: Path) -> Path:
    """The example with the client that is generated for it."""
    await installed()
    folder = tmp_path / "client"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns(".venv"))
    shutil.copy(TESTS.parent / "schema.graphql", folder)
    await run(ENVIRONMENT / "bin" / "ariadne-codegen", "client", folder=folder)
    return folder


@asynccontextmanager
async def example(folder: Path, host: str, key: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(ENVIRONMENT / "bin" / "python", "example.py", host),
        cwd=folder,
        env=os.environ | {"DREAMNET_KEY": key},
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def line(process: Process) -> Any:
    assert process.stdout
    async with patience():
        return orjson.loads(await process.stdout.readline())


async def create(database: Database, titles: str) -> None:
    for title in titles:
        async with database.write() as session:
            await db.dreams.create(session, None, title=title, is_public=True)


async def test_a_generated_client_reads_writes_and_resumes(
    database: Database, database_url: str, project: Path, tmp_path: Path
) -> None:
    user = await make_user(database, role="ADMIN")
    settings = Settings(_env_file=None, key_pepper=PEPPER, data_dir=tmp_path)
    key = (await make_key(database, settings, user_id=user.id)).text
    for title in "abcde":
        await make_dream(database, title=title)
    await make_ai_model(database, name="gpt-5", max_tokens=2**40, cost_per_1k_tokens="0.25")
    gateway = Gateway(database_url, tmp_path)

    async with gateway.running(), example(project, gateway.host, key) as process:
        steps = [await line(process) for _ in range(5)]
        await create(database, "xy")
        followed = [await line(process), await line(process)]
        await gateway.kill()
        await create(database, "zu")
        await gateway.start()
        followed += [await line(process), await line(process)]

    listed, prices, refused, made, following = steps
    [created] = [each for each in await stored(database, db.dreams.Dream) if each.title == "made"]
    assert listed == [*"abcde"]
    assert prices == [2**40, "0.250000"]
    assert refused == {"title": "This text must have 1 to 200 characters."}
    assert (made, following) == (f"dream_{created.id.hex}", "following")
    assert followed == [*"xyzu"]
