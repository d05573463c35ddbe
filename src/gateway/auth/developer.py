"""Developer: the user of requests without a credential in development."""

from collections.abc import Collection

from db import Database, identity
from db.core.errors import Unavailable
from db.users import Role, User
from gateway.auth.credential_cache import Clock, TTLCache
from gateway.auth.first_admin import EMAIL
from graph.core.principal import Principal

RECENT_SECONDS = 5


class Developer:
    """admin@localhost, created if the database has no such user."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.cache = TTLCache(self._users, RECENT_SECONDS, 1, clock)

    async def principal(self) -> Principal:
        """Always an administrator, whatever the role of the user, so that developers cannot lock
        themselves out. Raises Unavailable."""
        if (user := await self.cache.get(EMAIL)) is None:
            raise Unavailable(f"The user {EMAIL} was deleted a moment ago; try again.")
        return Principal(user.id, Role.ADMIN, is_unlimited=True)

    async def refresh(self) -> None:
        await self.cache.refresh([EMAIL])

    async def _users(self, emails: Collection[str]) -> dict[str, User]:
        async with self.database.read() as session:
            users = await identity.by_emails(session, emails)
        for email in set(emails).difference(users):
            users[email] = await identity.find_or_create_in(self.database, email, Role.ADMIN)
        return users
