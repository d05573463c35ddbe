"""Writes: settings, references to environment variables, and feature flags."""

from typing import TypeVar

from sqlalchemy import func, select

from db import audit
from db.config import VARIABLE, ConfigEntry, ConfigKind, FeatureFlag
from db.config.choices import CHOICES
from db.config.numbers import NUMBERS
from db.core import secret_detection
from db.core.errors import Conflict, Invalid, NotFound
from db.core.session.database import WriteSession
from db.core.session.row_rules import without_row_rules
from db.core.table import Row
from db.core.values import validation

EntryT = TypeVar("EntryT", ConfigEntry, FeatureFlag)

ENVIRONMENT = "environment"
LOCK = 0x656E7669726F6E  # "environ", the key of this advisory lock
REFUSED = (
    "This looks like a secret; secrets are not stored. Set `reference` to the name of the "
    "environment variable that holds it."
)


async def locked(session: WriteSession, table: type[EntryT], key: str) -> EntryT | None:
    return await session.record(table, table.select().where(table.key == key).with_for_update())


async def before(
    session: WriteSession, key: str, expected_version: int | None
) -> ConfigEntry | None:
    """The setting with that key, locked. Raises NotFound if a version of a missing one is expected,
    and Conflict for another version."""
    found = await locked(session, ConfigEntry, key)
    if expected_version is None:
        return found
    if found is None:
        raise NotFound
    if found.version != expected_version:
        raise Conflict(f"The current version is {found.version}. Read it again before retrying.")
    return found


async def put(
    session: WriteSession, key: str, entry: ConfigEntry | None, **values: object
) -> ConfigEntry:
    """Create a setting, or change `entry`. Raises Invalid."""
    return await _put(
        session, ConfigEntry, key, entry, **values, updated_by=session.audit_context.actor
    )


async def _put(
    session: WriteSession, table: type[EntryT], key: str, found: EntryT | None, **values: object
) -> EntryT:
    """Change the row that was found, or create one; change it if another transaction created it
    first."""
    while found is None:
        made = await audit.create_if_absent(session, table, key=key, **values)
        if made is not None:
            return made
        found = await locked(session, table, key)
    return await audit.change(session, table, found, **values)


async def remove(session: WriteSession, key: str, expected_version: int | None) -> ConfigEntry:
    """Delete a setting and return it. Raises NotFound, and Conflict for another version."""
    found = await before(session, key, expected_version)
    if found is None:
        raise NotFound
    await audit.remove(session, ConfigEntry, found)
    return found


def plain(key: str, value: object) -> Row:
    """The columns of a PLAIN setting. Raises Invalid for a secret or a value out of range."""
    ConfigEntry.cleaned({"value": value})
    if secret_detection.holds_secret(key, value):
        raise Invalid(REFUSED, "value")
    if key in NUMBERS:
        bounds = {"value": validation.number(*NUMBERS[key][1:])}
        validation.raise_if_invalid(validation.field_errors(bounds, {"value": value}))
    if key in CHOICES:
        words = {"value": validation.one_of(CHOICES[key])}
        validation.raise_if_invalid(validation.field_errors(words, {"value": value}))
    return {"kind": ConfigKind.PLAIN, "value": value}


def reference(variable: str) -> Row:
    """The columns of a SECRET_REFERENCE to an environment variable. Raises Invalid."""
    validation.raise_if_invalid(
        validation.field_errors({"reference": VARIABLE}, {"reference": variable})
    )
    return {"kind": ConfigKind.SECRET_REFERENCE, "value": variable}


async def store_variable(
    session: WriteSession, name: str, text: str, storable: bool
) -> ConfigEntry:
    """Store an environment variable as a setting: its value if `storable` and not a secret, else a
    reference to it. Raises Invalid."""
    key = f"{ENVIRONMENT}.{name.lower()}"
    columns = (
        plain(key, text)
        if storable and not secret_detection.is_secret(name, text)
        else reference(name)
    )
    entry = await locked(session, ConfigEntry, key)
    return await put(session, key, entry, category=ENVIRONMENT, **columns)


async def lock_environment(session: WriteSession) -> None:
    """Serialize transactions that store several variables: in different orders they would
    deadlock."""
    await session.execute(without_row_rules(select(func.pg_advisory_xact_lock(LOCK))))


async def put_flag(session: WriteSession, key: str, **values: object) -> FeatureFlag:
    """Create or change a feature flag. Raises Invalid."""
    before = await locked(session, FeatureFlag, key)
    return await _put(session, FeatureFlag, key, before, **values)


async def remove_flag(session: WriteSession, key: str) -> FeatureFlag:
    """Delete a feature flag and return it. Raises NotFound."""
    flag = await locked(session, FeatureFlag, key)
    if flag is None:
        raise NotFound
    await audit.remove(session, FeatureFlag, flag)
    return flag
