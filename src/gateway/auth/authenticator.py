"""Authenticator: the principal of a request. docs/identity.md is the page for users and operators.

A credential is an API key, or a token of the OpenID Connect issuer in the settings. It is sent as
`Authorization: Bearer …` (RFC 6750 §2.1), or in the first message of a WebSocket, where browsers
cannot send that header.
"""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

import structlog
from starlette.requests import HTTPConnection

from db import Database
from db.core.api_key_format import PREFIX
from db.feeds import CHANGES
from gateway.auth.api_keys import ApiKeys
from gateway.auth.browser_session import COOKIE, BrowserSession
from gateway.auth.challenges import InvalidCredential, invalid_credential, unauthenticated
from gateway.auth.credential_cache import Clock
from gateway.auth.developer import Developer
from gateway.auth.failed_sign_ins import FailedSignIns, digest_of
from gateway.auth.pepper import api_key_codec
from gateway.auth.recent_principals import RecentPrincipals
from gateway.auth.revalidation import CredentialRevalidator
from gateway.errors import HttpError
from gateway.middleware.forwarded import is_from_elsewhere
from gateway.middleware.loopback_only import is_local
from gateway.origins import Origins
from gateway.request_record import record_of
from gateway.settings import Settings
from graph.core.principal import ANONYMOUS, READER_OF_SCHEMA, Principal

if TYPE_CHECKING:
    from gateway.auth.tokens import Tokens

MAX_CREDENTIAL = 8192  # characters; a token with many claims has two thousand
DEVELOPMENT = ""  # stands for the credential that development does without; no credential is empty
ORIGINS = {"ws": "http", "wss": "https"}  # the scheme of the page that opens a WebSocket

ELSEWHERE = (
    "In development, requests that a proxy forwards from another machine require a credential: "
    "send `Authorization: Bearer` with a key or a token."
)

OTHER_SITE = (
    "In development, pages of other sites need a key (`Authorization: Bearer`), or their origin in "
    "DREAMNET_CORS_ORIGINS."
)

log = structlog.get_logger()


class Auth:
    """Authenticates requests."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        clock: Clock = time.monotonic,
        session: BrowserSession | None = None,
    ) -> None:
        self.settings = settings
        database = database.borrowed_by("auth")
        self.keys = ApiKeys(database, clock)
        self.tokens = _tokens(settings, database, clock) if settings.oidc_issuer else None
        self.developer = Developer(database, clock)
        self.budget = settings.budget()
        self.failed = FailedSignIns(self.budget, settings.failed_sign_ins_per_minute, clock)
        database.wakeups.listeners.append(self._forget_absent)
        self.session = session or BrowserSession(clock)
        self.watch = CredentialRevalidator(self)
        self.recents = RecentPrincipals(clock)

    def recent(self, authorization: str) -> Principal | None:
        """The principal of a header Authorization that was authenticated moments ago, as long as
        what was read then counts."""
        return self.recents.get(authorization)

    async def principal(
        self, connection: HTTPConnection, authorization: str | None = None
    ) -> Principal:
        """Authenticate a request; `authorization` replaces its header. Raises HttpError,
        Unavailable."""
        credentials = _authorization(connection, authorization)
        if not credentials:
            return await self._without_credential(connection)
        try:
            return await self._signed_in(credentials, record_of(connection.scope).network)
        except InvalidCredential as reason:
            log.info("credential refused", reason=str(reason))
            raise invalid_credential() from None

    async def _signed_in(self, credentials: list[str], network: str) -> Principal:
        """Check a credential, unless its network has failed too often. Raises InvalidCredential,
        HttpError, Unavailable."""
        name, failed = digest_of(credentials), self.failed
        failed.check(name)
        if not failed.was_valid(name) and await failed.is_exhausted(network):
            await self._check_signed(credentials, network)
        generation = failed.generation
        try:
            principal = await self.authenticate(_bearer(credentials))
        except InvalidCredential as invalid_credential:
            await failed.failed(network, name, invalid_credential, generation)
            raise
        failed.succeeded(name)
        self.recents.add(credentials[0], principal, self._until(_bearer(credentials)))
        return principal

    def _until(self, text: str) -> float:
        if text.startswith(PREFIX):
            return self.keys.until(api_key_codec(self.settings), text)
        return self.tokens.until(text) if self.tokens else -math.inf

    async def _check_signed(self, credentials: list[str], network: str) -> None:
        """Raises HttpError unless it is a token of the issuer, which needs no database to check."""
        try:
            if self.tokens:
                await self.tokens.claims(_bearer(credentials))
                return
        except InvalidCredential:
            pass
        raise await self.failed.refusal(network)

    def _forget_absent(self, feeds: Collection[str]) -> None:
        if CHANGES.name in feeds:
            self.failed.forget_results()
            for cache in (self.keys.cache, *(self.tokens.caches if self.tokens else ())):
                cache.forget_absent()

    def watched(
        self,
        connection: HTTPConnection,
        principal: Principal,
        end: Callable[[], None],
        authorization: str | None = None,
    ) -> AbstractContextManager[None]:
        """Within the context, call `end` once if the credential is no longer valid for
        `principal`. Anonymous connections are not watched."""
        credentials = _authorization(connection, authorization)
        if not credentials and not self.settings.development:
            return nullcontext()
        text = _bearer(credentials) if credentials else DEVELOPMENT
        return self.watch.over(text, principal, end)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        work = [self.keys.flushing(), self.watch.run_forever()]
        work += [self.tokens.issuer.refresh()] if self.tokens else []
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self.keys.flush()

    async def authenticate(self, text: str) -> Principal:
        """The principal of a credential, cached for some seconds. Raises InvalidCredential,
        Unavailable."""
        if text == DEVELOPMENT:
            return await self.developer.principal()
        if text.startswith(PREFIX):
            return await self.keys.principal(api_key_codec(self.settings), text)
        if self.tokens is None:
            raise InvalidCredential("not a key, and no issuer of tokens is set")
        return await self.tokens.principal(text)

    async def refresh(self, texts: Collection[str]) -> None:
        """Reload valid credentials in one batch. Raises Unavailable."""
        keys = {text for text in texts if text.startswith(PREFIX)}
        if keys:
            await self.keys.refresh(api_key_codec(self.settings), keys)
        if DEVELOPMENT in texts:
            await self.developer.refresh()
        if self.tokens:
            await self.tokens.refresh(set(texts) - keys - {DEVELOPMENT})

    def expiry(self, text: str) -> float:
        """When a valid credential expires, as a Unix time in seconds; infinite for keys."""
        if self.tokens is None or not text or text.startswith(PREFIX):
            return math.inf
        return self.tokens.expiry(text)

    async def _without_credential(self, connection: HTTPConnection) -> Principal:
        if not self.settings.development:
            return self._anonymous()
        _check_site(connection, self.settings.origins)
        if not self.session.opened_by(connection.cookies.get(COOKIE)):
            if not self.settings.dev_open:
                raise unauthenticated()
            if is_from_elsewhere(connection.headers):
                raise unauthenticated(ELSEWHERE)
        return await self.developer.principal()

    def _anonymous(self) -> Principal:
        if not self.settings.public_read:
            raise unauthenticated()
        return READER_OF_SCHEMA if self.settings.public_introspection else ANONYMOUS


def _tokens(settings: Settings, database: Database, clock: Clock) -> "Tokens":
    """The tokens of the issuer. Verifying them takes 15 megabytes of libraries, which a gateway
    without an issuer does without."""
    from gateway.auth.tokens import Tokens

    return Tokens(settings, database, clock)


def _authorization(connection: HTTPConnection, authorization: str | None) -> list[str]:
    if authorization is not None:
        return [authorization]
    return connection.headers.getlist("authorization")


def _bearer(credentials: list[str]) -> str:
    scheme, _, text = credentials[0].partition(" ")
    if len(credentials) > 1 or scheme.lower() != "bearer" or not 0 < len(text) <= MAX_CREDENTIAL:
        raise InvalidCredential("not one bearer credential of an acceptable size")
    return text


def _check_site(connection: HTTPConnection, origins: Origins | None) -> None:
    """Raises HttpError for a request from another site that is not listed, according to the browser
    (Fetch Metadata, RFC 6454). Clients such as curl send no site."""
    scheme = ORIGINS.get(connection.url.scheme, connection.url.scheme)
    own = f"{scheme}://{connection.headers.get('host')}"
    origin = connection.headers.get("origin", own)
    site = connection.headers.get("sec-fetch-site", "none")
    is_listed = origins is not None and origin != own and origins.allow(origin)
    # If a page and its requests have one origin, but not ours, a proxy has replaced the host.
    is_behind_proxy = site == "same-origin" and is_local(origin.partition("://")[2])
    is_own = origin == own and site in ("same-origin", "none")
    if not (is_own or is_listed or is_behind_proxy):
        raise HttpError(OTHER_SITE, 403)
