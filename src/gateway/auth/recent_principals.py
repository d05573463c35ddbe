"""Recent principals: what was authenticated within the last seconds, by the bytes of its header."""

from gateway.auth.credential_cache import Clock
from graph.core.principal import Principal

REMEMBERED = 10_000
LONGEST = 4_096  # characters of a header that is kept


class RecentPrincipals:
    """Principals by their header Authorization, each until a time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.known: dict[str, tuple[Principal, float]] = {}

    def add(self, authorization: str, principal: Principal, until: float) -> None:
        if len(authorization) > LONGEST:
            return
        if len(self.known) >= REMEMBERED:
            self.known.clear()
        self.known[authorization] = principal, until

    def get(self, authorization: str) -> Principal | None:
        principal, until = self.known.get(authorization, (None, 0.0))
        return principal if until > self.clock() else None
