"""Auth: who sends a request. docs/identity.md tells it to users and operators.

A credential comes as `Authorization: Bearer …` (RFC 6750 §2.1) and in no other way: an API key, or
a token of the OpenID Connect issuer in the settings.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from starlette.requests import Request

from db import Database
from db.core.credential import PREFIX
from gateway.auth.keys import Keys
from gateway.auth.minting import mint
from gateway.auth.recent import Clock
from gateway.auth.refusal import NotValid, invalid, unauthenticated
from gateway.auth.session import COOKIE, Session
from gateway.auth.tokens import Tokens
from gateway.errors import Refused
from gateway.settings import Settings
from graph.core.permission import ANONYMOUS, DEVELOPER, READER_OF_SCHEMA, Principal

MAX_CREDENTIAL = 8192  # characters; a token with many claims has two thousand

log = structlog.get_logger()


class Auth:
    """Everything that tells who sends a request."""

    def __init__(
        self, settings: Settings, database: Database, clock: Clock = time.monotonic
    ) -> None:
        self.settings = settings
        self.keys = Keys(database, clock)
        self.tokens = Tokens(settings, database, clock) if settings.oidc_issuer else None
        self.session = Session(clock)

    async def principal(self, request: Request) -> Principal:
        """Who sends it. Raises Refused, and Unavailable where that cannot be found out now."""
        given = request.headers.getlist("authorization")
        if not given:
            return self._without_credential(request)
        try:
            return await self._holder(_bearer(given))
        except NotValid as reason:
            log.info("credential refused", reason=str(reason))
            raise invalid() from None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """What goes on beside the requests: the issuer's keys come in, the use of keys goes out."""
        work = [self.keys.flushing(), *([self.tokens.issuer.refresh()] if self.tokens else [])]
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self.keys.flush()

    async def _holder(self, text: str) -> Principal:
        if text.startswith(PREFIX):
            return await self.keys.principal(mint(self.settings), text)
        if self.tokens is None:
            raise NotValid("not a key, and no issuer of tokens is set")
        return await self.tokens.principal(text)

    def _without_credential(self, request: Request) -> Principal:
        if not self.settings.development:
            return self._stranger()
        _check_same_origin(request)
        if self.settings.dev_open or self.session.opened_by(request.cookies.get(COOKIE)):
            return DEVELOPER
        raise unauthenticated()

    def _stranger(self) -> Principal:
        if not self.settings.public_read:
            raise unauthenticated()
        return READER_OF_SCHEMA if self.settings.public_introspection else ANONYMOUS


def _bearer(given: list[str]) -> str:
    scheme, _, text = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != "bearer" or not 0 < len(text) <= MAX_CREDENTIAL:
        raise NotValid("not one bearer credential of an acceptable size")
    return text


def _check_same_origin(request: Request) -> None:
    """Browsers say from which site a request comes (Fetch Metadata, RFC 6454); curl says nothing.
    What comes from another site acts as nobody's administrator."""
    own = f"{request.url.scheme}://{request.headers.get('host')}"
    site = request.headers.get("sec-fetch-site", "none")
    if request.headers.get("origin", own) != own or site not in ("same-origin", "none"):
        message = "In development, pages of other sites need a key: send `Authorization: Bearer`."
        raise Refused(message, 403)
