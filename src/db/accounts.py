"""Accounts: the deletion of a user.

API keys and notifications are deleted with the user. Dreams and tests are kept without an owner:
public dreams stay public, private ones are visible to operators alone.
"""

from uuid import UUID

from sqlalchemy import func, insert, literal, select, update

from db import audit, feeds, users
from db.ai_tests import AiTest
from db.api_keys import ApiKey, writes
from db.audit import Change, ChangeKind
from db.config import ConfigEntry
from db.core.session.database import WriteSession
from db.core.table import AnySelect
from db.dreams import Dream
from db.users import User

MAX_CHANGES = 10_000  # of tests; beyond that, subscribers of the feed are reset instead


async def remove(session: WriteSession, user: User, admins: set[UUID]) -> int:
    """Delete a user; return the number of dreams kept. Raises Conflict for the last
    administrator."""
    users.check_not_last_admin(user, admins)
    unrestricted = session.unrestricted()
    await _delete_keys_and_revoke_derived(unrestricted, user.id)
    await audit.clear(unrestricted, ConfigEntry, ConfigEntry.updated_by, user.id)
    await _disown_tests(unrestricted, user.id)
    kept = await audit.clear(unrestricted, Dream, Dream.user_id, user.id)
    await audit.remove(unrestricted, User, user)
    return kept


async def _delete_keys_and_revoke_derived(session: WriteSession, user_id: UUID) -> None:
    owned = ApiKey.select().where(ApiKey.user_id == user_id).order_by(ApiKey.id)
    for key in await session.records(ApiKey, owned):
        await writes.revoke(session, key.prefix)
    for key in await session.records(ApiKey, owned):
        await audit.remove(session, ApiKey, key)


async def _disown_tests(session: WriteSession, user_id: UUID) -> None:
    of_user = AiTest.user_id == user_id
    count = await session.scalar(select(func.count()).select_from(AiTest).where(of_user))
    if count > MAX_CHANGES:
        await feeds.reset_subscribers(session, feeds.CHANGES)
    elif count:
        columns = ["noun", "entity_id", "kind", "parent_id"]
        await session.execute(insert(Change).from_select(columns, _changes_of_tests(user_id)))
        session.feeds.add(feeds.CHANGES.name)
    await session.execute(update(AiTest).where(of_user).values(user_id=None))


def _changes_of_tests(user_id: UUID) -> AnySelect:
    noun, kind = literal(AiTest.__tablename__), literal(ChangeKind.UPDATED.value)
    tests = select(noun, AiTest.id, kind, AiTest.dream_id).where(AiTest.user_id == user_id)
    return tests.order_by(AiTest.id)
