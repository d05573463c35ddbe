"""Browser session: sign-in of a browser as the development administrator, as in Jupyter.

`dreamnet serve` prints an address with a token; the console sends the token once, by POST, and gets
a cookie for it. Both count until the gateway stops, in all of its workers, and the token for ten
minutes.
"""

import ctypes
import hmac
import secrets
import time
from multiprocessing.sharedctypes import RawValue

import orjson
from starlette.requests import Request
from starlette.responses import Response

from gateway.auth.credential_cache import Clock
from gateway.errors import HttpError
from gateway.request_record import record_of

TOKEN_SECONDS = 10 * 60
MAX_BYTES = 1024
COOKIE = "dreamnet_session"


class BrowserSession:
    """One token, and the cookie that it is exchanged for. Processes that inherit it share it."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self.until = clock() + TOKEN_SECONDS
        self.token = secrets.token_urlsafe(32)
        self.cookie = secrets.token_urlsafe(32)
        self.is_exchanged = RawValue(ctypes.c_bool, False)

    def opened_by(self, cookie: str | None) -> bool:
        return self.is_exchanged.value and _same(cookie, self.cookie)

    def exchange(self, token: str | None) -> str:
        was_used = self.is_exchanged.value or self.clock() >= self.until
        if was_used or not _same(token, self.token):
            raise HttpError(
                "This token was already used or has expired: restart the gateway for a new one.",
                403,
            )
        self.is_exchanged.value = True
        return self.cookie

    async def open(self, request: Request) -> Response:
        """POST /session with `{"token": …}`: 204 and the cookie. Raises HttpError."""
        cookie = self.exchange(await _token(request))
        response = Response(status_code=204, headers={"cache-control": "no-store"})
        path, secure = record_of(request.scope).prefix or "/", request.url.scheme == "https"
        response.set_cookie(
            COOKIE, cookie, path=path, secure=secure, httponly=True, samesite="strict"
        )
        return response


def _same(given: str | None, kept: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode(), kept.encode())


async def _token(request: Request) -> str | None:
    """JSON alone is read: a form of another site cannot send it."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HttpError("Send application/json.", 415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HttpError(f"The body is larger than {MAX_BYTES} bytes.", 413)
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HttpError("The body is not JSON.") from error
    token = content.get("token") if isinstance(content, dict) else None
    return token if isinstance(token, str) else None
