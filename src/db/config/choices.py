"""Choices: settings that the gateway itself reads, of one of a few words, the default first."""

from collections.abc import Mapping
from typing import cast

from db.config import ConfigEntry
from db.core.session.database import ReadSession

BUDGET_EXCEEDED = "budgets.exceeded"
WARN, REFUSE = "WARN", "REFUSE"
CHOICES: Mapping[str, tuple[str, ...]] = {BUDGET_EXCEEDED: (WARN, REFUSE)}


async def read(session: ReadSession, key: str) -> str:
    """One of `CHOICES`; its default if it is not set to one."""
    statement = ConfigEntry.select().where(ConfigEntry.key == key)
    entry = await session.record(ConfigEntry, statement)
    is_known = entry is not None and entry.value in CHOICES[key]
    return cast("str", entry.value) if entry is not None and is_known else CHOICES[key][0]
