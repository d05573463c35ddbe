"""Revalidation: close open connections when their credential is no longer valid.

One task checks all credentials in turn, in batches, each once for all of its connections. An
unavailable database closes no connection, because nothing is known to have changed.
"""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog

from db.core.errors import Unavailable
from gateway.auth.challenges import InvalidCredential
from graph.core.principal import Principal

ROUND_SECONDS = 4.0  # less than 5 with the time of the look-ups
STEPS = 40  # batches of a round

log = structlog.get_logger()


class Authenticator(Protocol):
    """Authenticates credentials. Its coroutines raise Unavailable."""

    async def authenticate(self, text: str) -> Principal:
        """Raises InvalidCredential."""

    async def refresh(self, texts: Collection[str]) -> None:
        """Refresh these credentials."""

    def expiry(self, text: str) -> float:
        """When a valid credential expires, as a Unix time in seconds, which may be infinite."""
        ...


class OpenConnection:
    """One connection opened by a principal; `until` is when its credential expires."""

    __slots__ = ("end", "principal", "until")

    def __init__(self, principal: Principal, end: Callable[[], None], until: float) -> None:
        self.principal = principal
        self.end = end
        self.until = until


class CredentialRevalidator:
    """The open connections of this process by their credentials."""

    def __init__(self, authenticator: Authenticator) -> None:
        self.authenticator = authenticator
        self.watched: dict[str, set[OpenConnection]] = {}

    @contextmanager
    def over(self, text: str, principal: Principal, end: Callable[[], None]) -> Iterator[None]:
        """Within the context, call `end` once if a credential is no longer valid for the
        principal."""
        watched = OpenConnection(principal, end, self._until(text))
        self.watched.setdefault(text, set()).add(watched)
        try:
            yield
        finally:
            self._forget(text, watched)

    async def run_forever(self) -> None:
        while True:
            await self.round(ROUND_SECONDS)

    async def round(self, seconds: float = 0.0) -> None:
        """Check every credential once, spread over `seconds`."""
        texts = list(self.watched)
        share, away = math.ceil(len(texts) / STEPS), False
        for step in range(STEPS):
            part = texts[step * share : (step + 1) * share]
            self._expire(part)
            held = [text for text in part if text in self.watched]
            away = away or not await self._renewed(held)
            if not away:
                for text in held:
                    await self._compare(text)
            await asyncio.sleep(seconds / STEPS)

    def _expire(self, texts: Collection[str]) -> None:
        now = time.time()
        for text in texts:
            self._end(text, lambda watched: watched.until <= now, "expired")

    async def _renewed(self, texts: Collection[str]) -> bool:
        try:
            await self.authenticator.refresh(texts)
        except Unavailable:
            return False
        except Exception:
            log.exception("credentials could not be looked up")
            return False
        return True

    async def _compare(self, text: str) -> None:
        try:
            current = await self.authenticator.authenticate(text)
        except InvalidCredential as reason:
            self._end(text, lambda _: True, str(reason))
        except Unavailable:
            return
        except Exception:
            log.exception("a credential could not be looked up")
        else:
            self._end(text, lambda watched: watched.principal != current, "rights changed")

    def _end(self, text: str, concerned: Callable[[OpenConnection], bool], reason: str) -> None:
        for watched in [each for each in self.watched.get(text, ()) if concerned(each)]:
            self._forget(text, watched)
            log.info("credential no longer valid", reason=reason)
            watched.end()

    def _forget(self, text: str, watched: OpenConnection) -> None:
        held = self.watched.get(text, set())
        held.discard(watched)
        if not held:
            self.watched.pop(text, None)

    def _until(self, text: str) -> float:
        """When a credential expires; never if it has expired by our clock but was accepted, because
        that clock may be ahead of the issuer's."""
        until = self.authenticator.expiry(text)
        return until if until > time.time() else math.inf
