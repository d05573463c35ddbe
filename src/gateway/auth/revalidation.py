"""Watch: connections that stay open end when their credential would no longer open them.

One task goes round all credentials, a share of them at a time. They are looked up together, each
once however many connections were opened with it. A database that is away is no reason to end a
connection: who it belongs to is not known to have changed.
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
from gateway.auth.tokens import expiry
from graph.core.permission import Principal

ROUND_SECONDS = 4.0  # with the time that a round's own work takes, less than five
STEPS = 40  # of a round, so that ten thousand credentials are not looked up in one go

log = structlog.get_logger()


class Authenticator(Protocol):
    """Tells who holds a credential. Both raise Unavailable."""

    async def holder(self, text: str) -> Principal:
        """Raises NotValid."""

    async def refresh(self, texts: Collection[str]) -> None:
        """Sees to it that what is told of these is of this moment."""


class OpenConnection:
    """One connection, opened as a principal; `until` is when its credential expires."""

    __slots__ = ("end", "principal", "until")

    def __init__(self, principal: Principal, end: Callable[[], None], until: float) -> None:
        self.principal = principal
        self.end = end
        self.until = until


class CredentialRevalidator:
    """The open connections of this process by their credentials."""

    def __init__(self, holders: Authenticator) -> None:
        self.holders = holders
        self.watched: dict[str, set[OpenConnection]] = {}

    @contextmanager
    def over(self, text: str, principal: Principal, end: Callable[[], None]) -> Iterator[None]:
        """A context in which `end` is called, once, when a credential no longer stands for that
        principal."""
        watched = OpenConnection(principal, end, _until(text))
        self.watched.setdefault(text, set()).add(watched)
        try:
            yield
        finally:
            self._forget(text, watched)

    async def run_forever(self) -> None:
        """Goes round for as long as it is not cancelled."""
        while True:
            await self.round(ROUND_SECONDS)

    async def round(self, seconds: float = 0.0) -> None:
        """Looks at every credential once, spread over that time."""
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
        """Whether it can be found out now who holds these."""
        try:
            await self.holders.refresh(texts)
        except Unavailable:
            return False
        except Exception:
            log.exception("credentials could not be looked up")
            return False
        return True

    async def _compare(self, text: str) -> None:
        """Ends the connections whose credential stands for somebody else or for nobody."""
        try:
            holder = await self.holders.holder(text)
        except InvalidCredential as reason:
            self._end(text, lambda _: True, str(reason))
        except Unavailable:
            return
        except Exception:
            log.exception("a credential could not be looked up")
        else:
            self._end(text, lambda watched: watched.principal != holder, "rights changed")

    def _end(self, text: str, concerned: Callable[[OpenConnection], bool], reason: str) -> None:
        for watched in [each for each in self.watched.get(text, ()) if concerned(each)]:
            self._forget(text, watched)
            log.info("credential no longer holds", reason=reason)
            watched.end()

    def _forget(self, text: str, watched: OpenConnection) -> None:
        held = self.watched.get(text, set())
        held.discard(watched)
        if not held:
            self.watched.pop(text, None)


def _until(text: str) -> float:
    """When connections with that credential end. One that is let in although its token has expired
    by our clock, which may be ahead of the issuer's, stays for as long as others are let in."""
    until = expiry(text)
    return until if until > time.time() else math.inf
