"""API keys: their text, and their rows in the database."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given, strategies as st

from db import Database, api_keys, identity
from db.api_keys.writes import NewKey
from db.audit import AuditEntry
from db.core.api_key_format import ALPHABET, ApiKeyCodec, ApiKeyText
from db.core.errors import Conflict, Invalid, NotFound
from db.core.session.audit_context import AuditContext
from db.users import Role
from support.factories import make_user

MINT = ApiKeyCodec("dev", b"pepper")
DAY = timedelta(days=1)
LETTERS = st.text(ALPHABET, min_size=43, max_size=43)


async def make(database: Database, **more: object) -> NewKey:
    user = await make_user(database, role="OPERATOR")
    async with database.write() as session:
        return await api_keys.writes.create(session, MINT, user_id=user.id, service="ci", **more)


async def read(database: Database, key: NewKey) -> object:
    async with database.read() as session:
        held = await api_keys.by_prefixes(session, [key.record.prefix])
    return held.get(key.record.prefix)


@given(LETTERS)
def test_a_text_is_read_as_it_was_written(secret: str) -> None:
    credential = ApiKeyText("dev", "12345678", secret)
    assert MINT.read(credential.text) == credential
    assert len(credential.text) == len("dev") + 62


@given(st.integers(0, 64), st.sampled_from(ALPHABET))
def test_every_typo_is_noticed(place: int, letter: str) -> None:
    text = ApiKeyText("dev", "12345678", "a" * 43).text
    wrong = text[:place] + letter + text[place + 1 :]
    assert wrong == text or MINT.read(wrong) is None


def test_keys_differ() -> None:
    made = [MINT.new() for _ in range(100)]
    assert len({credential.secret for credential in made}) == 100
    assert len({credential.prefix for credential in made}) == 100


def test_a_key_proves_itself_and_nothing_else() -> None:
    key, other = MINT.new(), MINT.new()
    assert MINT.proves(key, MINT.hashed(key))
    assert not MINT.proves(other, MINT.hashed(key))
    assert not MINT.proves(key, None)
    assert not ApiKeyCodec("dev", b"other").proves(key, MINT.hashed(key))


async def test_only_a_hash_is_stored(database: Database) -> None:
    key = await make(database, scopes=["events:write", "agents:write", "events:write"])
    credential = MINT.read(key.text)
    assert credential is not None
    assert key.record.hashed_key == MINT.hashed(credential)
    assert key.record.scopes == ["agents:write", "events:write"]
    assert credential.secret not in repr((key, credential, key.record))


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": ["agents"]},
        {"scopes": ["Agents:write"]},
        {"scopes": ["agents:write "]},
        {"scopes": [""]},
        {"expires_at": datetime.now(UTC) - DAY},
    ],
)
async def test_malformed_keys_are_refused(database: Database, wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await make(database, **wrong)


async def test_a_key_needs_a_user_and_a_service(database: Database) -> None:
    user = await make_user(database)
    with pytest.raises(NotFound):
        async with database.write() as session:
            await api_keys.writes.create(session, MINT, user_id=uuid4(), service="ci")
    with pytest.raises(Invalid):
        async with database.write() as session:
            await api_keys.writes.create(session, MINT, user_id=user.id, service=" ")


async def test_revoking_twice_keeps_the_first_time(database: Database) -> None:
    key = await make(database)
    times = []
    for _ in range(2):
        async with database.write() as session:
            times.append((await api_keys.writes.revoke(session, key.record.prefix)).revoked_at)
    assert times[0] is not None
    assert times[0] == times[1]


async def test_every_change_leaves_a_trace_without_the_secret(database: Database) -> None:
    key = await make(database)
    async with database.write(AuditContext("trying")) as session:
        newer = await api_keys.writes.rotate(session, MINT, key.record.prefix)
        await api_keys.writes.revoke(session, newer.record.prefix)
        of_keys = AuditEntry.select().where(AuditEntry.entity == "api_keys")
        entries = await session.records(AuditEntry, of_keys.order_by(AuditEntry.id))
    changed = [(entry.operation, sorted(entry.after)) for entry in entries]
    made = ["created_at", "hashed_key", "id", "prefix", "service", "user_id"]
    assert [(operation, set(names) >= set(made)) for operation, names in changed] == [
        ("system", True),
        ("trying", False),
        ("trying", True),
        ("trying", False),
    ]
    assert [names for _, names in changed][1::2] == [["expires_at"], ["revoked_at"]]
    assert key.record.hashed_key not in repr(entries)
    assert newer.record.hashed_key not in repr(entries)


async def test_rotation_overlaps(database: Database) -> None:
    old = await make(database, scopes=["tests:write"], expires_at=datetime.now(UTC) + 90 * DAY)
    before = datetime.now(UTC)
    async with database.write() as session:
        new = await api_keys.writes.rotate(session, MINT, old.record.prefix)
        (ending, _) = await api_keys.everyone(session)
    assert new.text != old.text
    same = ("user_id", "service", "scopes")
    assert [getattr(new.record, name) for name in same] == [
        getattr(old.record, name) for name in same
    ]
    assert before + DAY <= ending.expires_at <= datetime.now(UTC) + DAY
    assert before + 89 * DAY < new.record.expires_at <= datetime.now(UTC) + 90 * DAY


async def test_rotation_never_makes_a_key_live_longer(database: Database) -> None:
    end = datetime.now(UTC) + timedelta(hours=1)
    old = await make(database, expires_at=end)
    async with database.write() as session:
        await api_keys.writes.rotate(session, MINT, old.record.prefix)
        (ending, _) = await api_keys.everyone(session)
    assert ending.expires_at == end


async def test_invalid_keys_cannot_be_rotated_or_revoked(database: Database) -> None:
    key = await make(database)
    async with database.write() as session:
        await api_keys.writes.revoke(session, key.record.prefix)
    with pytest.raises(Conflict):
        async with database.write() as session:
            await api_keys.writes.rotate(session, MINT, key.record.prefix)
    async with database.write() as session:
        with pytest.raises(NotFound):
            await api_keys.writes.rotate(session, MINT, "AAAAAAAA")
        with pytest.raises(NotFound):
            await api_keys.writes.revoke(session, "AAAAAAAA")


async def test_the_first_administrator_is_made_once(database: Database) -> None:
    made = []
    for _ in range(2):
        async with database.write() as session:
            made.append(await identity.create_first_admin(session, MINT, "admin@localhost"))
    assert made[0] is not None
    assert made[1] is None
    row = await read(database, made[0])
    assert getattr(row, "role", None) == Role.ADMIN


async def test_an_administrator_there_already_is_enough(database: Database) -> None:
    await make_user(database, role="ADMIN")
    async with database.write() as session:
        assert await identity.create_first_admin(session, MINT, "admin@localhost") is None


async def test_a_member_does_not_become_the_administrator(database: Database) -> None:
    await make_user(database, email="admin@localhost")
    with pytest.raises(Conflict):
        async with database.write() as session:
            await identity.create_first_admin(session, MINT, "admin@localhost")


async def test_admission_is_idempotent(database: Database) -> None:
    users = [await identity.find_or_create_in(database, "a@example.org") for _ in range(2)]
    assert users[0] == users[1]
    assert users[0].role == Role.MEMBER
