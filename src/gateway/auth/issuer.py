"""Issuer: the public keys of an OpenID Connect issuer, fetched and kept.

Source: OpenID Connect Discovery 1.0 §4, RFC 7517. They are fetched
again after ten minutes, while the old ones stay valid, and for a token with an unknown key. Between
two fetches are a few seconds, so that neither unknown keys nor an issuer that is down cause many.
While the issuer is down, the old keys stay valid for a day.
"""

import asyncio
import math
import time

import httpx2
import orjson
import structlog
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from db.core.errors import Unavailable
from gateway.auth.credential_cache import Clock
from gateway.setting_types import is_secure

FRESH_SECONDS = 10 * 60
INTERVAL_SECONDS = 3.0  # between fetches for unknown keys: a new key is accepted after this time
RETRY_SECONDS = 5.0  # after a fetch that failed
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
        self.fetched = -math.inf
        self.next_fetch = -math.inf
        self.refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str | None) -> PyJWK | None:
        """The key of that id; without one, the only key. Raises Unavailable if there are none."""
        if self._age() > STALE_SECONDS or self._known(kid) is None:
            await self.refresh()
        elif self._age() > FRESH_SECONDS:
            self._start_refresh()
        if self._age() > STALE_SECONDS:
            raise Unavailable("The keys of the token's issuer cannot be fetched; try again.")
        return self._known(kid)

    async def refresh(self) -> None:
        """Fetch the keys, unless that was done a moment ago. Concurrent callers share one fetch."""
        self._start_refresh()
        if self.refreshing:
            await asyncio.shield(self.refreshing)

    def _start_refresh(self) -> None:
        if self.refreshing is None and self.clock() >= self.next_fetch:
            self.refreshing = asyncio.create_task(self._refresh())

    async def _refresh(self) -> None:
        interval = RETRY_SECONDS
        try:
            self.keys = await self._fetch()
            self.fetched, interval = self.clock(), INTERVAL_SECONDS
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
            log.warning("the issuer's keys cannot be fetched", reason=str(error) or "timeout")
        finally:
            self.next_fetch, self.refreshing = self.clock() + interval, None

    def _known(self, kid: str | None) -> PyJWK | None:
        alone = kid is None and len(self.keys) == 1
        return next(iter(self.keys.values())) if alone else self.keys.get(kid)

    def _age(self) -> float:
        return self.clock() - self.fetched

    async def _fetch(self) -> dict[str | None, PyJWK]:
        async with asyncio.timeout(TIMEOUT_SECONDS), httpx2.AsyncClient() as client:
            url = self.url or await self._discovered(client)
            found = usable((await read(client, url)).get("keys"))
        if not found:
            raise ValueError("the issuer has no usable key")
        return found

    async def _discovered(self, client: httpx2.AsyncClient) -> str:
        document = await read(client, self.name.rstrip("/") + WELL_KNOWN)
        if document.get("issuer") != self.name:
            raise ValueError("the discovery document names another issuer")
        return str(document.get("jwks_uri"))


async def read(client: httpx2.AsyncClient, url: str) -> dict[str, object]:
    """A small JSON object from a secure address. Raises ValueError and what httpx2 does."""
    if not is_secure(url):
        raise ValueError("the address must begin with https://")
    async with client.stream("GET", url, headers=PLAIN, follow_redirects=False) as response:
        if response.status_code != 200:
            raise ValueError(f"the response has the status {response.status_code}")
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > MAX_BYTES:
                raise ValueError(f"the response is larger than {MAX_BYTES} bytes")
    document = orjson.loads(content)
    return document if isinstance(document, dict) else {}


def usable(keys: object) -> dict[str | None, PyJWK]:
    """The keys of a JWK Set that may verify signatures; unknown keys are ignored (§5)."""
    found = {}
    for data in keys if isinstance(keys, list) else []:
        try:
            if data.get("use", "sig") == "sig" and data.get("kty") != "oct":
                found[data.get("kid")] = PyJWK(data)
        except (PyJWTError, AttributeError):
            continue
    return found
