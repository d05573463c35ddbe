"""Admission: large requests take turns, and are refused before they are read when too many wait."""

import asyncio
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from gateway import admission
from gateway.admission import LARGE, Admission

SIZE = 2 * LARGE


class Work:
    """An app that notes how large bodies are worked on, and answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.begun: list[int] = []
        self.turn = 0

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        self.begun.append(self.turn)
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def count_turns(self) -> None:
        """Counts the turns of the event loop."""
        while True:
            self.turn += 1
            await asyncio.sleep(0)


def client(work: Work) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(Admission(work))
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost")


def post(http: httpx2.AsyncClient, size: int = SIZE) -> Any:
    return asyncio.create_task(http.post("/graphql", content=b"x" * size))


async def begun(work: Work, count: int) -> None:
    while len(work.begun) < count:  # noqa: ASYNC110  turns of the loop are what is counted
        await asyncio.sleep(0)


async def test_large_requests_begin_one_a_turn() -> None:
    work = Work()
    turns = asyncio.create_task(work.count_turns())
    async with client(work) as http:
        posts = [post(http) for _ in range(5)]
        await begun(work, 5)
        work.go.set()
        assert [answer.status_code for answer in await asyncio.gather(*posts)] == [200] * 5
    turns.cancel()
    assert len(set(work.begun)) == 5


async def test_small_requests_do_not_wait() -> None:
    work = Work()
    async with client(work) as http:
        posts = [post(http, size=10) for _ in range(5)]
        await begun(work, 5)
        assert set(work.begun) == {0}
        work.go.set()
        await asyncio.gather(*posts)


async def test_too_many_are_refused_with_a_time_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admission, "MAX_BYTES", 3 * SIZE)
    work = Work()
    async with client(work) as http:
        posts = [post(http) for _ in range(3)]
        await begun(work, 3)
        refused = await post(http)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        error = refused.json()["errors"][0]["extensions"]
        assert (error["code"], error["retryAfterMs"]) == ("RATE_LIMITED", 1000)
        assert len(work.begun) == 3
        work.go.set()
        await asyncio.gather(*posts)
        assert (await post(http)).status_code == 200  # there is room again


async def test_one_larger_than_the_room_is_let_in_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_BYTES", 1)
    work = Work()
    work.go.set()
    async with client(work) as http:
        assert (await post(http)).status_code == 200


async def test_who_hangs_up_while_waiting_holds_nobody_up() -> None:
    work = Work()
    work.go.set()
    async with client(work) as http:
        gone, stays = post(http), post(http)
        await asyncio.sleep(0)
        gone.cancel()
        assert (await stays).status_code == 200
    assert gone.cancelled()
