"""Failed sign-ins: how many a network may have in a minute, and which credentials failed lately.

Without any left, a network signs in only with credentials that were valid before. Each invalid
credential is charged to its network once a minute, however often it is sent: a client with an
expired one must not lock out its neighbours. It is refused by itself when it is sent too often.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cachetools import LRUCache

from gateway.auth.challenges import InvalidCredential
from gateway.auth.credential_cache import Clock
from gateway.errors import HttpError
from graph.core.budget import MINUTE, Budget
from graph.core.quota import Account

REFUSED_SECONDS = 5.0  # for which a refusal is repeated without looking at the credential again
REMEMBERED = 10_000  # credentials, of some 300 bytes each

TOO_MANY = "Too many failed sign-ins: try again in {} seconds, with a valid credential."


@dataclass(slots=True)
class Failure:
    """An invalid credential, when it was looked at, and how often it was sent until the end of its
    minute. One that `lasts` need not be looked at again in the same `generation`."""

    reason: str
    lasts: bool
    at: float
    generation: int
    minute_end: float
    count: int = 1


class FailedSignIns:
    """At most `limit` failed sign-ins a minute per network; 0 is no limit."""

    def __init__(self, budget: Budget, limit: int, clock: Clock) -> None:
        self.budget = budget
        self.limit = limit
        self.clock = clock
        self.generation = 0
        self.failures: LRUCache[bytes, Failure] = LRUCache(REMEMBERED)
        self.valid: LRUCache[bytes, bool] = LRUCache(REMEMBERED)

    def check(self, name: bytes) -> None:
        """Raises InvalidCredential if a credential has just failed, HttpError if it was sent too
        often."""
        if (failure := self.failures.get(name)) is None:
            return
        if self.clock() >= failure.minute_end:
            del self.failures[name]
            return
        failure.count += 1
        if not failure.lasts or failure.generation != self.generation:
            return
        self._check_count(failure)
        if self.clock() < failure.at + REFUSED_SECONDS:
            raise InvalidCredential(failure.reason)

    def was_valid(self, name: bytes) -> bool:
        found: bool = self.valid.get(name, False)
        return found

    def succeeded(self, name: bytes) -> None:
        self.valid[name] = True
        self.failures.pop(name, None)

    async def is_exhausted(self, network: str) -> bool:
        return bool(self.limit) and not await self._account(network).has(1)

    async def refusal(self, network: str) -> HttpError:
        return too_many(await self._account(network).wait(1))

    async def failed(
        self, network: str, name: bytes, invalid: InvalidCredential, generation: int
    ) -> None:
        """Count a failure, of a credential read at a `generation`. Raises HttpError where the
        network has none left."""
        self.valid.pop(name, None)
        now, known = self.clock(), self.failures.get(name)
        minute_end, count = (known.minute_end, known.count) if known else (now + MINUTE, 1)
        self.failures[name] = failure = Failure(
            str(invalid), invalid.lasts, now, generation, minute_end, count
        )
        if known is None and self.limit and not await self._account(network).take(1):
            raise await self.refusal(network)
        self._check_count(failure)

    def forget_results(self) -> None:
        """Check failed credentials again, after a change of keys or users."""
        self.generation += 1

    def _check_count(self, failure: Failure) -> None:
        if self.limit and failure.count > self.limit:
            raise too_many(failure.minute_end - self.clock())

    def _account(self, network: str) -> Account:
        return Account(self.budget, f"failed sign-ins of {network}", self.limit)


def too_many(seconds: float) -> HttpError:
    whole = max(1, math.ceil(seconds))
    return HttpError(TOO_MANY.format(whole), 429, headers={"retry-after": str(whole)})


def digest_of(credentials: Sequence[str]) -> bytes:
    return sha256("\n".join(credentials).encode(errors="surrogatepass")).digest()
