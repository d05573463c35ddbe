"""Chat completions: an endpoint as that of OpenAI, of the test's own, on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.process.listener import listening

KEY = "sk-test"
JUDGE = "judge-1"
VERDICT = '{"impossibility": 42, "confidence": 90, "reasoning": "Nearly."}'


class Completions:
    """Answers by model; `failing` has the statuses of the next responses."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.failing: list[int] = []
        self.blocked: asyncio.Event | None = None  # no model answers until it is set
        self.base_url = ""

    async def complete(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return JSONResponse({"error": {"message": "wrong key"}}, 401)
        body = await request.json()
        self.requests.append(body)
        if self.blocked:
            await self.blocked.wait()
        if self.failing:
            return JSONResponse({"error": {"message": "no"}}, self.failing.pop(0))
        text = VERDICT if body["model"] == JUDGE else "I tried."
        choice = {"index": 0, "message": {"role": "assistant", "content": text}}
        return JSONResponse({"choices": [choice], "usage": {"total_tokens": 123}})

    @property
    def environment(self) -> dict[str, str]:
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": KEY,
            "OPENAI_JUDGE_MODEL": JUDGE,
        }


@asynccontextmanager
async def completions() -> AsyncIterator[Completions]:
    """An endpoint that serves until the context ends."""
    endpoint = Completions()
    app = Starlette(routes=[Route("/v1/chat/completions", endpoint.complete, methods=["POST"])])
    with listening("127.0.0.1", 0) as listener:
        endpoint.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield endpoint
        finally:
            if endpoint.blocked:
                endpoint.blocked.set()
            server.should_exit = True
            await serving
