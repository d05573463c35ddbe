"""LIMIT: what this database and this ASGI server can do at most. No GraphQL is involved: each
operation is one statement that returns the complete JSON of the response."""

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson

POOL_SIZE = 10
FOLDER = Path(__file__).parents[2] / "operations" / "limit"
STATEMENTS = {file.stem: file.read_text() for file in FOLDER.glob("*.sql")}

Values = Mapping[str, Any]  # variables as JSON
Prepared: TypeAlias = Any  # statements of one connection by name; asyncpg has no types
Message = MutableMapping[str, Any]  # of ASGI
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PARAMETERS: dict[str, Callable[[Values], tuple[object, ...]]] = {
    "Q1": lambda values: (UUID(values["id"]),),
    "M1": lambda values: (values["key"], values["status"], orjson.dumps(values["task"]).decode()),
}


class Pool:
    """Connections with all statements prepared. A request that finds none waits for the next."""

    def __init__(self) -> None:
        self.idle: list[Prepared] = []
        self.waiting: deque[Future[Prepared]] = deque()

    async def open(self) -> None:
        for _ in range(POOL_SIZE):
            connection = await asyncpg.connect()
            prepared = {name: await connection.prepare(sql) for name, sql in STATEMENTS.items()}
            self.idle.append(prepared)

    async def value(self, name: str, parameters: tuple[object, ...]) -> str:
        prepared = self.idle.pop() if self.idle else await self._next()
        try:
            return str(await prepared[name].fetchval(*parameters))
        finally:
            self._release(prepared)

    async def _next(self) -> Prepared:
        future: Future[Prepared] = get_running_loop().create_future()
        self.waiting.append(future)
        return await future

    def _release(self, prepared: Prepared) -> None:
        if self.waiting:
            self.waiting.popleft().set_result(prepared)
        else:
            self.idle.append(prepared)


pool = Pool()


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    else:
        await respond(await answer(await body_of(receive)), send)


async def lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await pool.open()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def body_of(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def answer(body: bytes) -> bytes:
    request = orjson.loads(body)
    name = request["operationName"]
    parameters = PARAMETERS[name](request["variables"]) if name in PARAMETERS else ()
    return (await pool.value(name, parameters)).encode()


async def respond(body: bytes, send: Send) -> None:
    length = str(len(body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
