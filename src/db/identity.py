"""Identity: find the user of a credential, or create one on first sign-in.

A token identifies a subject of its issuer. Its e-mail address is used once, on the first sign-in of
a subject: to link it to a user created beforehand that has no identity yet.
"""

from collections.abc import Collection

from sqlalchemy import ARRAY, Text, any_, exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from db import audit
from db.api_keys.writes import NewKey, create
from db.audit import ChangeKind
from db.core.api_key_format import ApiKeyCodec
from db.core.errors import Conflict
from db.core.ids import uuid7
from db.core.session.audit_context import AuditContext
from db.core.session.database import Database, ReadSession, ResultRow, WriteSession
from db.core.values.email import normalised
from db.users import Role, User, UserIdentity, spelled_email

SIGNING_IN = AuditContext("signIn")
LOCK = 0x66697273745F6B65  # "first_ke", the key of this advisory lock


async def by_subjects(
    session: ReadSession, issuer: str, subjects: Collection[str]
) -> dict[str, ResultRow]:
    """`id`, `role` and `disabled_at` of the users with those identities, by subject."""
    among = UserIdentity.subject == any_(literal(list(subjects), ARRAY(Text)))
    statement = (
        select(UserIdentity.subject, User.id, User.role, User.disabled_at)
        .join(User, User.id == UserIdentity.user_id)
        .where(UserIdentity.issuer == issuer, among)
    )
    return {row.subject: row for row in await session.rows(statement)}


async def sign_in_first(
    session: WriteSession, issuer: str, subject: str, email: str, create: bool
) -> ResultRow | User | None:
    """The user of a subject, linked to it if it is new: the user with its verified address if that
    has no identity, or a new user if `create`; else None.

    `email` is normalised. A user that has an identity is never linked to another one.
    """
    for text in (f"{issuer} {subject}", email):
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(text, LOCK))))
    if known := (await by_subjects(session, issuer, [subject])).get(subject):
        return known
    user = await _unlinked(session, email)
    if user is None and create:  # an earlier version takes no lock and may create it first
        user = await _make(session, email) or await _unlinked(session, email)
    if user is not None:
        await audit.create(session, UserIdentity, issuer=issuer, subject=subject, user_id=user.id)
    return user


async def _unlinked(session: WriteSession, email: str) -> User | None:
    linked = exists().where(UserIdentity.user_id == User.id)
    statement = User.select().where(spelled_email == email, User.email_copy == 0, ~linked)
    return await session.record(User, statement.with_for_update())


async def _make(session: WriteSession, email: str) -> User | None:
    last = select(func.max(User.email_copy)).where(spelled_email == email)
    copy = await session.scalar(last)
    number = 0 if copy is None else copy + 1
    return await audit.create_if_absent(session, User, email=email, email_copy=number)


async def by_email(session: ReadSession, email: str) -> User | None:
    return (await by_emails(session, [normalised(email)])).get(normalised(email))


async def by_emails(session: ReadSession, emails: Collection[str]) -> dict[str, User]:
    among = any_(literal(list(emails), ARRAY(Text))) == spelled_email
    statement = User.select().where(among, User.email_copy == 0)
    users = await session.records(User, statement)
    return {normalised(user.email): user for user in users if user.email is not None}


async def find_or_create(session: WriteSession, email: str, role: Role = Role.MEMBER) -> User:
    """The user with that address, created with that role if there is none. Raises Invalid."""
    now = session.now()
    row = {"id": uuid7(now), "email": email, "role": role, "created_at": now, "updated_at": now}
    statement = (
        insert(User).values(User.cleaned(row)).on_conflict_do_nothing().returning(*User.columns())
    )
    if (made := await session.record(User, statement)) is not None:
        await audit.note(session, ChangeKind.CREATED, User, None, made)
        return made
    if (known := await by_email(session, email)) is None:
        raise Conflict
    return known


async def find_or_create_in(database: Database, email: str, role: Role = Role.MEMBER) -> User:
    async with database.write(SIGNING_IN) as session:
        return await find_or_create(session, email, role)


async def create_first_admin(
    session: WriteSession, api_key_codec: ApiKeyCodec, email: str
) -> NewKey | None:
    """Create an administrator and an API key, unless there is an administrator. Raises Conflict
    if the address belongs to another user.

    Of two processes that start at once, the second waits for the first.
    """
    await session.execute(select(func.pg_advisory_xact_lock(LOCK)))
    admins = select(func.count()).select_from(User).where(User.role == Role.ADMIN)
    if await session.scalar(admins):
        return None
    user = await find_or_create(session, email, Role.ADMIN)
    if user.role != Role.ADMIN:
        raise Conflict(f"{email} exists and is not an administrator: give a user the role ADMIN.")
    return await create(session, api_key_codec, user_id=user.id, service="first start")
