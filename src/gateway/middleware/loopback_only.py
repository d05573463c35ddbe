"""Loopback only: protection from DNS rebinding in development, where every client is an
administrator."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import HttpError, refusal
from gateway.request_record import record_of
from gateway.setting_types import is_loopback


class LoopbackOnly:
    """Refuses requests and WebSockets whose Host is not this machine."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asks = scope["type"] in ("http", "websocket")
        if asks and not is_local(Headers(scope=scope).get("host", "")):
            refused = HttpError("In development, use the host localhost or 127.0.0.1.", 403)
            await refusal(refused, record_of(scope).request_id)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def is_local(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
