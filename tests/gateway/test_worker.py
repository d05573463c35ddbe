"""The reference worker: queued tests become results, over HTTP, against a local endpoint."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, update

from db import Database
from db.ai_tests import AiTest, AiTestStatus, queue, writes
from db.ai_tests.queue import QueuedAiTest
from gateway.worker.openai_compatible import verdict_of
from support.chat_completions import JUDGE, Completions, completions
from support.factories import make_dream
from support.gateways import make_key, production
from support.mutations import stored
from support.running_gateway import serving
from support.wait import patience, until

OPENAI = "gateway.worker.openai_compatible"


@pytest.fixture
async def endpoint() -> AsyncIterator[Completions]:
    async with completions() as endpoint:
        yield endpoint


@pytest.fixture
async def address(database_url: str) -> AsyncIterator[str]:
    """A gateway in production mode."""
    async with serving(production(), Database(database_url)) as served:
        yield served.address


@asynccontextmanager
async def work(
    database: Database, address: str, endpoint: Completions, folder: Path, *options: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`dreamnet work`, which is stopped at the end."""
    key = await make_key(database, production(), scopes=["tests:work", "dreams:read"])
    named = ["--provider", "openai", "--adapter", f"{OPENAI}:run", "--judge", f"{OPENAI}:judge"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "work", "--url", address, *named, *options),
        cwd=folder,
        env={**os.environ, **endpoint.environment, "DREAMNET_WORK_KEY": key.text},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with patience():
            await process.wait()


async def enqueue(database: Database, model: str = "gpt", **more: Any) -> Any:
    dream = await make_dream(database, is_public=False, original_prompt="Fly!")
    async with database.write() as session:
        pending = AiTestStatus.PENDING
        values = {"provider": "openai", "model": model, "test_parameters": {"temperature": 0}}
        test = await writes.start(session, dream, None, pending, **values)
        await queue.add(session, test, **more)
        return test


async def statuses(database: Database) -> list[str]:
    return [test.status for test in await stored(database, AiTest)]


async def has_failed_once(database: Database) -> bool:
    errors = [entry.last_error for entry in await stored(database, QueuedAiTest)]
    return len(errors) == 1 and "503" in (errors[0] or "")


def ended(database: Database, *expected: str) -> Any:
    async def is_so() -> bool:
        return await statuses(database) == list(expected)

    return is_so


async def test_queued_tests_are_run_and_judged(
    database: Database, address: str, endpoint: Completions, tmp_path: Path
) -> None:
    """Also one that is queued while the worker waits."""
    await enqueue(database)
    async with work(database, address, endpoint, tmp_path) as process:
        await until(ended(database, "COMPLETED"))
        await enqueue(database, "gpt-2")
        await until(ended(database, "COMPLETED", "COMPLETED"))
    assert process.returncode == 0
    [first, second] = await stored(database, AiTest)
    shown = (first.impossibility_score, first.confidence, first.reasoning, first.tokens_used)
    assert shown == (42, 90, "Nearly.", 123)
    assert first.duration is not None
    assert second.model == "gpt-2"
    asked = endpoint.requests[0]
    assert asked == {
        "model": "gpt",
        "messages": [{"role": "user", "content": "Fly!"}],
        "temperature": 0,
    }
    assert [each["model"] for each in endpoint.requests] == ["gpt", JUDGE, "gpt-2", JUDGE]
    assert await stored(database, QueuedAiTest) == []


async def test_a_refused_request_fails_and_others_are_tried_again(
    database: Database, address: str, endpoint: Completions, tmp_path: Path
) -> None:
    endpoint.failing = [400, 503]
    await enqueue(database)
    await enqueue(database, max_attempts=2)
    async with work(database, address, endpoint, tmp_path, "--at-once", "1"):
        await until(lambda: has_failed_once(database))
        assert await statuses(database) == ["FAILED", "PENDING"]
        async with database.write() as session:
            await session.execute(update(QueuedAiTest).values(available_at=func.now()))
        await enqueue(database)  # wakes the worker up
        await until(ended(database, "FAILED", "COMPLETED", "COMPLETED"))


async def test_a_stopped_worker_gives_its_tests_back(
    database: Database, address: str, endpoint: Completions, tmp_path: Path
) -> None:
    endpoint.blocked = asyncio.Event()
    await enqueue(database)
    async with work(database, address, endpoint, tmp_path):
        await until(lambda: endpoint.requests)
        assert await statuses(database) == ["RUNNING"]
    [entry] = await stored(database, QueuedAiTest)
    assert (await statuses(database), entry.attempts) == (["PENDING"], 0)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"impossibility": 101, "confidence": 1}', '{"impossibility": true}'],
)
def test_a_judge_that_does_not_score_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"judge|JSON|Input"):
        verdict_of(text)


@pytest.mark.parametrize(
    ("adapter", "message"),
    [("nowhere:run", "is not module:function"), (f"{OPENAI}:run", "Set DREAMNET_WORK_KEY")],
)
async def test_a_worker_that_cannot_start_says_why(
    tmp_path: Path, adapter: str, message: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "work", "--provider", "openai", "--adapter", adapter),
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await process.communicate()
    assert process.returncode == 2
    assert message in error.decode()
