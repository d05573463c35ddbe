"""Accounts: the deletion of a user.

API keys and notifications are deleted with the user. Dreams and tests are kept without an owner:
public dreams stay public, private ones are visible to operators alone.
"""

from uuid import UUID

from sqlalchemy import ColumnElement, Insert, func, insert, literal, select, update

from db import audit, feeds, users
from db.ai_tests import AiTest
from db.api_keys import ApiKey, writes
from db.audit import ChangeKind, PendingChange
from db.audit.batch import remove_all
from db.audit.setting import set_all
from db.config import ConfigEntry
from db.core.query.id_ranges import delete_all, id_ranges
from db.core.session.database import WriteSession
from db.dreams import Dream
from db.notifications import Notification
from db.users import User

MAX_CHANGES = 10_000  # of tests; beyond that, subscribers of the feed are reset instead


async def remove(session: WriteSession, user: User, admins: set[UUID]) -> int:
    """Delete a user; return the number of dreams kept. Raises Conflict for the last
    administrator."""
    users.check_not_last_admin(user, admins)
    unrestricted = session.unrestricted()
    await _delete_keys_and_revoke_derived(unrestricted, user.id)
    await set_all(unrestricted, ConfigEntry, ConfigEntry.updated_by, user.id, None)
    await _disown_tests(unrestricted, user.id)
    kept = await set_all(unrestricted, Dream, Dream.user_id, user.id, None)
    await delete_all(unrestricted, Notification, Notification.user_id == user.id)
    await audit.remove(unrestricted, User, user)
    return kept


async def _delete_keys_and_revoke_derived(session: WriteSession, user_id: UUID) -> None:
    owned = ApiKey.select().where(ApiKey.user_id == user_id).order_by(ApiKey.id)
    ids = [key.id for key in await session.records(ApiKey, owned.with_for_update())]
    if ids:
        await writes.revoke_made_with(session, ids)
        await writes.revoke_all(session, ids)
        await remove_all(session, ApiKey, await session.records(ApiKey, owned))


async def _disown_tests(session: WriteSession, user_id: UUID) -> None:
    mine = AiTest.user_id == user_id
    first = select(AiTest.id).where(mine).limit(MAX_CHANGES + 1).subquery()
    count = await session.scalar(select(func.count()).select_from(first))
    if count > MAX_CHANGES:
        await feeds.reset_subscribers(session, feeds.CHANGES)
    async for some in id_ranges(session, AiTest, mine):
        if count <= MAX_CHANGES:
            await session.execute(_changes_of_tests(some))
            session.feeds.add(feeds.CHANGES.name)
        await session.execute(update(AiTest).where(some).values(user_id=None))


def _changes_of_tests(some: ColumnElement[bool]) -> Insert:
    noun, kind = literal(AiTest.__tablename__), literal(ChangeKind.UPDATED.value)
    tests = select(noun, AiTest.id, kind, AiTest.dream_id).where(some)
    columns = ["noun", "entity_id", "kind", "parent_id"]
    return insert(PendingChange).from_select(columns, tests.order_by(AiTest.id))
