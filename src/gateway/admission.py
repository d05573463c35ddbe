"""Admission: how much large work is let in, and that it takes turns.

Reading a large body and making sense of it holds the only thread for milliseconds. Many at once
would hold it for seconds, and meanwhile nothing that was accepted is stored, because the flushes
wait as well. So large requests go on one per turn of the event loop, and when too many of them wait
another is refused before it is read.
"""

import asyncio
from collections import deque

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import RETRY, respond

LARGE = 8 * 1024  # bytes of a body
MAX_BYTES = 1024 * 1024  # of large bodies in hand: half a second's work
UNDECLARED = 64 * 1024  # for a body that does not say how large it is

RETRY_MS = 1_000
FULL = "There is more to do than can be done; try again later."


class Admission:
    """Lets large requests in one after the other, as far as there is room."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.bytes = 0
        self.turns: deque[asyncio.Future[None]] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = _size(scope)
        if size < LARGE:
            await self.app(scope, receive, send)
        elif self.bytes and self.bytes + size > MAX_BYTES:
            await self._refuse(scope, receive, send)
        else:
            await self._admit(size, scope, receive, send)

    async def _admit(self, size: int, scope: Scope, receive: Receive, send: Send) -> None:
        """Large work is over when its answer begins, which may be a stream and have no end."""
        held = size
        self.bytes += held

        async def answered(message: Message) -> None:
            nonlocal held
            self.bytes -= held
            held = 0
            await send(message)

        try:
            await self.app(scope, self._in_turn(receive), answered)
        finally:
            self.bytes -= held

    def _in_turn(self, receive: Receive) -> Receive:
        async def received() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                await self._turn()
            return message

        return received

    async def _turn(self) -> None:
        """Returns when it is one's turn; the next one's is after the work that this one sets off
        and whatever else is ready by then."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self.turns.append(turn)
        if len(self.turns) == 1:
            loop.call_soon(self._next)
        await turn

    def _next(self) -> None:
        turn = self.turns.popleft()
        if not turn.done():
            turn.set_result(None)
        if self.turns:
            asyncio.get_running_loop().call_soon(self._next)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = scope.get("state", {}).get("request_id")
        extensions = {"code": "RATE_LIMITED", "requestId": request_id, "retryAfterMs": RETRY_MS}
        content = {"errors": [{"message": FULL, "extensions": extensions}]}
        await respond(content, 429, RETRY)(scope, receive, send)


def _size(scope: Scope) -> int:
    """Of the body, as far as it is known beforehand."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return 0
    declared = Headers(scope=scope).get("content-length", "")
    return int(declared) if declared.isdecimal() else UNDECLARED
