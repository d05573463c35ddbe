"""Watch: connections that stay open end when their credential would no longer open them.

One task goes round all credentials, each of which is looked up once however many connections were
opened with it. A database that is away is no reason to end a connection: who it belongs to is not
known to have changed.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog

from db.core.errors import Unavailable
from gateway.auth.refusal import NotValid
from gateway.auth.tokens import expiry
from graph.core.permission import Principal

ROUND_SECONDS = 4.0  # with the time that a round's own work takes, less than five
STEPS = 40  # of a round, so that ten thousand credentials are not looked up in one go

log = structlog.get_logger()


class Holder(Protocol):
    """Tells who holds a credential. Raises NotValid, Unavailable."""

    async def __call__(self, text: str, fresh: bool) -> Principal: ...


class Watched:
    """One connection, opened as a principal; `until` is when its credential expires."""

    __slots__ = ("end", "principal", "until")

    def __init__(self, principal: Principal, end: Callable[[], None], until: float) -> None:
        self.principal = principal
        self.end = end
        self.until = until


class Watch:
    """The open connections of this process by their credentials."""

    def __init__(self, holder: Holder) -> None:
        self.holder = holder
        self.watched: dict[str, set[Watched]] = {}

    @contextmanager
    def over(self, text: str, principal: Principal, end: Callable[[], None]) -> Iterator[None]:
        """A context in which `end` is called, once, when a credential no longer stands for that
        principal."""
        watched = Watched(principal, end, _until(text))
        self.watched.setdefault(text, set()).add(watched)
        try:
            yield
        finally:
            self._forget(text, watched)

    async def going_on(self) -> None:
        """Goes round for as long as it is not cancelled."""
        while True:
            await self.round(ROUND_SECONDS)

    async def round(self, seconds: float = 0.0) -> None:
        """Looks at every credential once, spread over that time."""
        texts = list(self.watched)
        share, away = math.ceil(len(texts) / STEPS), False
        for step in range(STEPS):
            for text in texts[step * share : (step + 1) * share]:
                self._expire(text)
                away = away or not await self._compared(text)
            await asyncio.sleep(seconds / STEPS)

    def _expire(self, text: str) -> None:
        now = time.time()
        self._end(text, lambda watched: watched.until <= now, "expired")

    async def _compared(self, text: str) -> bool:
        """Ends the connections whose credential stands for somebody else or for nobody; False
        where that cannot be found out now."""
        if text not in self.watched:
            return True
        try:
            holder = await self.holder(text, fresh=True)
        except Unavailable:
            return False
        except NotValid as reason:
            self._end(text, lambda _: True, str(reason))
        except Exception:
            log.exception("a credential could not be looked up")
        else:
            self._end(text, lambda watched: watched.principal != holder, "rights changed")
        return True

    def _end(self, text: str, concerned: Callable[[Watched], bool], reason: str) -> None:
        for watched in [each for each in self.watched.get(text, ()) if concerned(each)]:
            self._forget(text, watched)
            log.info("credential no longer holds", reason=reason)
            watched.end()

    def _forget(self, text: str, watched: Watched) -> None:
        held = self.watched.get(text, set())
        held.discard(watched)
        if not held:
            self.watched.pop(text, None)


def _until(text: str) -> float:
    """When connections with that credential end. One that is let in although its token has expired
    by our clock, which may be ahead of the issuer's, stays for as long as others are let in."""
    until = expiry(text)
    return until if until > time.time() else math.inf
