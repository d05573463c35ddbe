"""Keys: signing in with an API key.

What is known of a key counts for five seconds, so that a revoked one is refused everywhere within
five, at one indexed read per key, process and five seconds; keys that are needed at the same time
are read together. An unknown key and a wrong secret take the same way to the same answer.
"""

import asyncio
import math
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from uuid import UUID

import structlog

from db import Database, api_keys
from db.api_keys import writes
from db.core.api_key_format import ApiKeyCodec
from db.core.error_facts import summary
from db.core.errors import Unavailable
from db.core.session.coalescing import ReadCoalescer
from db.core.session.database import ResultRow
from db.users import lowest
from gateway.auth.challenges import InvalidCredential
from gateway.auth.credential_cache import READ_PATIENCE, Clock, TTLCache
from graph.core.principal import Principal

RECENT_SECONDS = 5
REMEMBERED = 10_000
FLUSH_SECONDS = 60

log = structlog.get_logger()


class ApiKeys:
    """The API keys of a database; `used` are those not yet noted there as used."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.reads = ReadCoalescer(database, READ_PATIENCE)
        self.cache = TTLCache(self._read, RECENT_SECONDS, REMEMBERED, clock)
        self.used: set[UUID] = set()

    async def principal(self, api_key_codec: ApiKeyCodec, text: str) -> Principal:
        """The principal of a key. Raises InvalidCredential, Unavailable."""
        if (credential := api_key_codec.read(text)) is None:
            raise InvalidCredential("malformed key")
        key = await self.cache.get(credential.prefix)
        if not api_key_codec.proves(credential, key.hashed_key if key else None) or key is None:
            raise InvalidCredential("unknown key")
        if key.revoked_at or (key.expires_at and key.expires_at <= datetime.now(UTC)):
            raise InvalidCredential("key revoked or expired")
        if key.disabled_at:
            raise InvalidCredential("user disabled", lasts=False)
        self.used.add(key.id)
        return _principal(key)

    def until(self, api_key_codec: ApiKeyCodec, text: str) -> float:
        """Until when what was read of a valid key counts, by the clock of the cache."""
        credential = api_key_codec.read(text)
        kept = self.cache.entries.get(credential.prefix) if credential else None
        if kept is None:
            return -math.inf
        key, until = kept
        if key.expires_at is None:
            return until
        left: float = (key.expires_at - datetime.now(UTC)).total_seconds()
        return min(until, self.cache.clock() + left)

    async def refresh(self, api_key_codec: ApiKeyCodec, texts: Iterable[str]) -> None:
        """Reload keys in one batch. Raises Unavailable."""
        credentials = map(api_key_codec.read, texts)
        await self.cache.refresh({each.prefix for each in credentials if each})

    async def flushing(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Store which keys were used since the last flush. A failure is retried by the next."""
        used, self.used = self.used, set()
        if not used:
            return
        try:
            async with self.database.write() as session:
                await writes.touch(session, used)
        except Exception as error:
            self.used |= used
            traced = None if isinstance(error, Unavailable) else error
            log.warning(
                "the last use of keys could not be stored", error=summary(error), exc_info=traced
            )

    async def _read(self, prefixes: Collection[str]) -> dict[str, ResultRow]:
        return await self.reads.of(api_keys.by_prefixes, prefixes)


def _principal(key: ResultRow) -> Principal:
    """A key may do what its user may do now, as far as its scopes and its highest role allow it."""
    role = lowest(key.role, key.max_role)
    return Principal(key.user_id, role, frozenset(key.scopes), key.id)
