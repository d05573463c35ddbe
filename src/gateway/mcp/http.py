"""HTTP: MCP's transport "streamable HTTP", without sessions, for callers with a credential."""

from collections.abc import Sequence

from mcp.server.lowlevel import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from db.core.error_codes import ErrorCode
from gateway.errors import respond
from gateway.mcp.api import Api, Error, Refused
from gateway.mcp.server import Call

PATH = "/mcp"
MAX_BODY_BYTES = 1024 * 1024
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
NO_CREDENTIAL = Error(
    ErrorCode.UNAUTHENTICATED, "Send an API key: `Authorization: Bearer dn_live_…`."
)


def http_app(
    server: Server[object], api: Api, hosts: Sequence[str], origins: Sequence[str]
) -> ASGIApp:
    """The app at `/mcp`. Requests whose Host is not among `hosts`, or whose Origin is not among
    `origins`, are refused, so that no page in a browser reaches it through a name of its own."""
    allowed = [*LOOPBACK, *hosts]
    security = TransportSecuritySettings(
        allowed_hosts=[*allowed, *(f"{host}:*" for host in allowed)], allowed_origins=list(origins)
    )
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=MAX_BODY_BYTES,
        transport_security=security,
    )
    app.add_middleware(Authentication, api=api)
    return app


def credential(call: Call) -> str:
    request: Request | None = call.request
    return request.headers["authorization"] if request is not None else ""


class Authentication:
    """Refuses requests whose credential the gateway does not accept, before they are read."""

    def __init__(self, app: ASGIApp, api: Api) -> None:
        self.app = app
        self.api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = await self._refused(scope) if scope["type"] == "http" else None
        if refused is None:
            return await self.app(scope, receive, send)
        status = refused.code.http_status
        headers = {"www-authenticate": "Bearer"} if status == 401 else {"retry-after": "1"}
        extensions = {"code": refused.code}
        content = {"errors": [{"message": refused.message, "extensions": extensions}]}
        return await respond(content, status, headers)(scope, receive, send)

    async def _refused(self, scope: Scope) -> Error | None:
        header = Headers(scope=scope).get("authorization")
        if header is None:
            return NO_CREDENTIAL
        try:
            await self.api.principal(header)
        except Refused as refused:
            return refused.error
        return None
