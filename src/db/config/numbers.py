"""Numbers: settings that the gateway itself reads, with their defaults and bounds."""

from collections.abc import Collection, Hashable, Mapping
from decimal import Decimal
from typing import TypeVar

from db.config import ConfigEntry
from db.core.query.batch import rows_by_key
from db.core.session.database import ReadSession
from db.core.values import json
from db.users import MAX_BUDGET

K = TypeVar("K", bound=Hashable)

ACHIEVED_AT = "dreams.achieved_at"
STALE_AFTER = "agents.stale_after_seconds"
OFFLINE_AFTER = "agents.offline_after_seconds"
USER_BUDGET = "budgets.user_monthly_usd"
OVERALL_BUDGET = "budgets.monthly_usd"
# By key: default, minimum and maximum.
NUMBERS: Mapping[Hashable, tuple[int, int, int]] = {
    ACHIEVED_AT: (5, 0, 100),
    STALE_AFTER: (60, 1, 86_400),
    OFFLINE_AFTER: (300, 2, 604_800),
    USER_BUDGET: (50, 0, MAX_BUDGET),
    OVERALL_BUDGET: (MAX_BUDGET, 0, MAX_BUDGET),
}


async def read(session: ReadSession, key: str) -> Decimal:
    """One of `NUMBERS`; its default if it is not set to a number."""
    return (await read_many(session, [key]))[key]


async def read_many(session: ReadSession, keys: Collection[K]) -> dict[K, Decimal]:
    found = await rows_by_key(session, ConfigEntry, (ConfigEntry.key,), list(keys))
    set_to = {key: entry.value for key, entry in found.items() if json.is_number(entry.value)}
    return {key: json.decimal(set_to.get(key, NUMBERS[key][0])) for key in keys}
