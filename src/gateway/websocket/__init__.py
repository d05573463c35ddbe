"""WebSocket: operations over one connection, in the protocol graphql-transport-ws.

Its predecessor, whose clients ask for the subprotocol graphql-ws, is not spoken.
"""

from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from gateway import callers
from gateway.errors import Refused, refusal
from gateway.service import Service
from gateway.streams import Streams
from gateway.websocket.codes import Code
from gateway.websocket.messages import SUBPROTOCOL
from gateway.websocket.socket import Socket
from graph.core.permission import ANONYMOUS

__all__ = ["WebSockets"]


@dataclass(frozen=True, slots=True)
class WebSockets:
    """The endpoint of WebSockets, as an ASGI application."""

    service: Service
    streams: Streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        connection = HTTPConnection(scope)
        socket = Socket(connection, receive, send, self.service)
        try:
            stream = self.streams.admit(self._waiting(connection), socket.leave)
        except Refused as refused:
            await refusal(refused, scope["state"]["request_id"])(scope, receive, send)
            return
        with stream:
            if SUBPROTOCOL in scope["subprotocols"]:
                await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
                await socket.run(stream)
            else:
                await _decline(send)

    def _waiting(self, connection: HTTPConnection) -> callers.Caller | None:
        """Whom a socket is counted for until its first message tells who it belongs to."""
        development = self.service.auth.settings.development
        return None if development else callers.caller(connection, ANONYMOUS)


async def _decline(send: Send) -> None:
    """Clients hear a close code only on a connection that was accepted."""
    await send({"type": "websocket.accept"})
    reason = f"Subprotocol not acceptable: use {SUBPROTOCOL}"
    close = {"type": "websocket.close", "code": Code.SUBPROTOCOL_NOT_ACCEPTABLE, "reason": reason}
    await send(close)
