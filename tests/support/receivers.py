"""Receivers: an endpoint for webhooks, of the test's own, on loopback."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from standardwebhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway.process.listener import listening

LONG_PARTS = 1_000


@dataclass
class Receiver:
    """Answers with `status`, and keeps what it accepted and what it refused, by `webhook-id`."""

    port: int
    host: str = "127.0.0.1"
    scheme: str = "http"
    status: int = 204
    attempts: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    sent_parts: int = 0  # of a long answer
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.place}/hook"

    async def hook(self, request: Request) -> Response:
        id = request.headers["webhook-id"]
        self.requests.append((dict(request.headers), await request.body()))
        self.attempts[id] += 1
        if self.status < 300:
            self.accepted[id] += 1
        self.arrived.set()
        if self.status == 302:
            return RedirectResponse("/elsewhere", 302)
        return Response(status_code=self.status)

    async def long(self, _request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(LONG_PARTS):
                yield bytes(64 * 1024)
                self.sent_parts += 1

        return StreamingResponse(parts())

    def verified(self, secret: str, number: int = -1) -> Any:
        """The content of a request, whose signature is checked."""
        headers, body = self.requests[number]
        return Webhook(secret).verify(body, headers)


@asynccontextmanager
async def receiver(
    certificate: tuple[Path, Path] | None = None,
) -> AsyncIterator[Receiver]:
    """An endpoint that serves until the context ends; with the files of a certificate and its key
    by https."""
    with listening("127.0.0.1", 0) as listener:
        made = Receiver(listener.getsockname()[1])
        if certificate is not None:
            made.host, made.scheme = "localhost", "https"
        routes = [
            Route("/hook", made.hook, methods=["POST"]),
            Route("/long", made.long, methods=["POST"]),
        ]
        cert, key = certificate or (None, None)
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_level="error",
            lifespan="off",
            ssl_certfile=cert,
            ssl_keyfile=key,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield made
        finally:
            server.should_exit = server.force_exit = True
            await serving
