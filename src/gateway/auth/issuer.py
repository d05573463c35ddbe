"""Issuer: the public keys of an OpenID Connect issuer, fetched and kept.

OpenID Connect Discovery 1.0 §4 tells where they are, RFC 7517 what they look like. They are fetched
at most once a minute, whoever asks for whatever key; after ten minutes anew, while the old ones go
on counting; and when the issuer is away, for a day.
"""

import asyncio
import math
import time
from typing import Any

import httpx2
import orjson
import structlog
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from db.core.errors import Unavailable
from gateway.auth.recent import Clock
from gateway.values import is_secure

FRESH_SECONDS = 10 * 60
AGAIN_SECONDS = 60
STALE_SECONDS = 24 * 60 * 60
TIMEOUT_SECONDS = 5
MAX_BYTES = 64 * 1024
PLAIN = {"accept-encoding": "identity"}  # so that the limit is one of what we hold
WELL_KNOWN = "/.well-known/openid-configuration"

log = structlog.get_logger()


class Issuer:
    """The keys of one issuer by their ids; `url` is where they are, None to ask the issuer."""

    def __init__(self, name: str, url: str | None = None, clock: Clock = time.monotonic) -> None:
        self.name = name
        self.url = url
        self.clock = clock
        self.keys: dict[str | None, PyJWK] = {}
        self.fetched = self.tried = -math.inf
        self.lock = asyncio.Lock()
        self.refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> PyJWK | None:
        """The key of that id; without one, the only key. Raises Unavailable if there are none."""
        if self._age() > STALE_SECONDS or self._known(kid) is None:
            await self.refresh()
        elif self._age() > FRESH_SECONDS and self._may_try():
            self.refreshing = asyncio.create_task(self.refresh())
        if self._age() > STALE_SECONDS:
            raise Unavailable("The keys of the token's issuer cannot be fetched; try again.")
        return self._known(kid)

    async def refresh(self) -> None:
        """Fetches the keys, unless that was tried within the last minute."""
        async with self.lock:
            if not self._may_try():
                return
            self.tried = self.clock()
            try:
                self.keys = await self._fetch()
                self.fetched = self.clock()
            except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
                log.warning("the issuer's keys cannot be fetched", reason=str(error) or "timeout")

    def _known(self, kid: str | None) -> PyJWK | None:
        alone = kid is None and len(self.keys) == 1
        return next(iter(self.keys.values())) if alone else self.keys.get(kid)

    def _age(self) -> float:
        return self.clock() - self.fetched

    def _may_try(self) -> bool:
        return self.clock() - self.tried >= AGAIN_SECONDS

    async def _fetch(self) -> dict[str | None, PyJWK]:
        async with asyncio.timeout(TIMEOUT_SECONDS), httpx2.AsyncClient() as client:
            url = self.url or await self._discovered(client)
            found = usable((await read(client, url)).get("keys"))
        if not found:
            raise ValueError("the issuer has no key that we can use")
        return found

    async def _discovered(self, client: httpx2.AsyncClient) -> str:
        document = await read(client, self.name.rstrip("/") + WELL_KNOWN)
        if document.get("issuer") != self.name:
            raise ValueError("the discovery document is that of another issuer")
        return str(document.get("jwks_uri"))


async def read(client: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    """A small JSON object from a secure address. Raises ValueError and what httpx2 does."""
    if not is_secure(url):
        raise ValueError("the address must begin with https://")
    async with client.stream("GET", url, headers=PLAIN, follow_redirects=False) as response:
        if response.status_code != 200:
            raise ValueError(f"the answer has the status {response.status_code}")
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_BYTES:
                raise ValueError(f"the answer is larger than {MAX_BYTES} bytes")
    document = orjson.loads(content)
    return document if isinstance(document, dict) else {}


def usable(keys: Any) -> dict[str | None, PyJWK]:
    """The keys of a JWK Set that may verify signatures; what we do not know is left out (§5)."""
    found = {}
    for data in keys if isinstance(keys, list) else []:
        try:
            if data.get("use", "sig") == "sig" and data.get("kty") != "oct":
                found[data.get("kid")] = PyJWK(data)
        except (PyJWTError, AttributeError):
            continue
    return found
