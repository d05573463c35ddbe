"""Identity: the users that signing in looks up, and those it makes."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from db import audit
from db.api_keys import NewKey, create
from db.audit import ChangeKind
from db.core.act import Act
from db.core.credential import Mint
from db.core.database import Database, ReadSession, WriteSession
from db.core.email import normalised
from db.core.errors import Conflict
from db.core.ids import uuid7
from db.users import ADDRESS, Role, User

SIGNING_IN = Act("signIn")
LOCK = 0x66697273745F6B65  # "first_ke", so that it meets no lock of anybody else


async def by_email(session: ReadSession, email: str) -> Any | None:
    """The user with that address, however it is spelled, or None."""
    return (await by_emails(session, [normalised(email)])).get(normalised(email))


async def by_emails(session: ReadSession, emails: Collection[str]) -> dict[str, Any]:
    """The users with those addresses, by address; all of them normalised."""
    among = any_(literal(list(emails), ARRAY(Text))) == ADDRESS
    statement = User.select().where(among, User.email_copy == 0)
    return {normalised(user.email): user for user in await session.records(User, statement)}


async def admit(session: WriteSession, email: str, role: Role = Role.MEMBER) -> Any:
    """The user with that address, made with that role where there was none. Raises Invalid."""
    now = session.now()
    row = {"id": uuid7(now), "email": email, "role": role, "created_at": now, "updated_at": now}
    statement = (
        insert(User).values(User.cleaned(row)).on_conflict_do_nothing().returning(*User.columns())
    )
    if (made := await session.record(User, statement)) is None:
        return await by_email(session, email)
    await audit.note(session, ChangeKind.CREATED, User, None, made)
    return made


async def admit_for(database: Database, email: str, role: Role = Role.MEMBER) -> Any:
    """As `admit`, in a transaction of its own."""
    async with database.write(SIGNING_IN) as session:
        return await admit(session, email, role)


async def first_admin(session: WriteSession, mint: Mint, email: str) -> NewKey | None:
    """An administrator and a key of theirs; None where there is an administrator already. Raises
    Conflict where the address belongs to somebody else.

    Two processes that start at once make one: the second waits for the first.
    """
    await session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    admins = select(func.count()).select_from(User).where(User.role == Role.ADMIN)
    if await session.scalar(admins):
        return None
    user = await admit(session, email, Role.ADMIN)
    if user.role != Role.ADMIN:
        raise Conflict(f"{email} is there already and no administrator: make somebody one.")
    return await create(session, mint, user_id=user.id, service="first start")
