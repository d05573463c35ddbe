"""WebSocket: operations over one connection, in the protocol graphql-transport-ws.

The older subprotocol graphql-ws is not supported.
"""

from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from db.core.errors import Unavailable
from gateway.errors import HttpError, refusal
from gateway.middleware.cross_origin import check_stream_origin
from gateway.origins import Origins
from gateway.request_record import record_of
from gateway.transport.connections import OpenStream, OpenStreams
from gateway.transport.executor import Executor
from gateway.transport.websocket.close_codes import CloseCode
from gateway.transport.websocket.connection import WebSocketConnection
from gateway.transport.websocket.messages import SUBPROTOCOL
from graph.core.principal import DEVELOPERS, Principal

__all__ = ["WebSockets"]


@dataclass(frozen=True, slots=True)
class WebSockets:
    """The endpoint of WebSockets, as an ASGI application."""

    executor: Executor
    streams: OpenStreams
    origins: Origins | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        connection = HTTPConnection(scope)
        socket = WebSocketConnection(connection, receive, send, self.executor)
        try:
            stream = await self._admitted(connection, socket)
        except HttpError as refused:
            await refusal(refused, record_of(scope).request_id)(scope, receive, send)
            return
        with stream:
            if SUBPROTOCOL in scope["subprotocols"]:
                await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
                await socket.run(stream)
            else:
                await _decline(send)

    async def _admitted(
        self, connection: HTTPConnection, socket: WebSocketConnection
    ) -> OpenStream:
        """Count a socket for the client of the credential in the handshake, or as unidentified.
        Raises HttpError."""
        check_stream_origin(connection.headers, self.origins)
        record = record_of(connection.scope)
        if principal := await self._principal(connection):
            record.principal = principal
            return self.streams.admit(record.client, socket.leave)
        if self.executor.auth.settings.development:
            return self.streams.admit(DEVELOPERS, socket.leave)
        return self.streams.admit_unidentified(record.network, socket.leave, socket.give_up)

    async def _principal(self, connection: HTTPConnection) -> Principal | None:
        """The principal of a valid credential in the handshake, else None: the first message may
        hold a valid one. Raises HttpError after too many failed sign-ins."""
        if "authorization" not in connection.headers:
            return None
        try:
            return await self.executor.auth.principal(connection)
        except HttpError as refused:
            if refused.status == HTTPStatus.TOO_MANY_REQUESTS:
                raise
        except Unavailable:
            pass
        return None


async def _decline(send: Send) -> None:
    """Accept and close: clients get no close code for a refused handshake."""
    await send({"type": "websocket.accept"})
    reason = f"Subprotocol not acceptable: use {SUBPROTOCOL}"
    close = {
        "type": "websocket.close",
        "code": CloseCode.SUBPROTOCOL_NOT_ACCEPTABLE,
        "reason": reason,
    }
    await send(close)
