"""Random rows: dreams and their tests as plain Python has them, and the same in the database.

There are few different values, so that they tie; every column that may be null sometimes is.
"""

from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sqlalchemy import insert

from db import Database
from db.ai_tests import AiTest, AiTestStatus
from db.core.ids import uuid7
from db.core.schema import partition
from db.dreams import Dream, DreamCategory, DreamStatus
from db.users import User
from graph.core.types.node import id_of
from support.factories import START

Row = dict[str, Any]

TEXTS = ["", "a", "A", "aB", "b", "é", "É", "ß", "%", "a%b", "_", "a_b", "\\", "/", "\\_", "日本"]
TIMES = [START + timedelta(days=days, microseconds=us) for days in (0, 1, 40) for us in (0, 1, 999)]
SCORES = [*map(Decimal, ("0", "33.33", "33.34", "80", "100"))]
WHOLE = [0, 1, 1500, 2**31, 2**62]
COSTS = [*map(Decimal, ("0", "0.000001", "0.03", "1.5", "9999.999999"))]
LABELS = ["x", "y", "z"]
CATEGORIES = [category.value for category in [*DreamCategory][:3]]
STATUSES = [status.value for status in [*DreamStatus][:2]]
TEST_STATUSES = [status.value for status in [*AiTestStatus][:2]]
USERS = [
    {"id": uuid7(START), "email": "a_Da@example.org", "passportTier": "a", "createdAt": TIMES[0]},
    {"id": uuid7(START), "email": None, "passportTier": "%", "createdAt": TIMES[1]},
]
USER_IDS = [id_of(User.Record, user["id"]) for user in USERS]


def row_of_dream(random: Random) -> Row:
    owner, at = random.choice([None, *USERS]), random.choice(TIMES)
    return {
        "id": uuid7(at, str(random.random())),
        "createdAt": at,
        "updatedAt": random.choice(TIMES),
        "owner": owner,
        "userId": owner and id_of(User.Record, owner["id"]),
        "title": random.choice(TEXTS),
        "category": random.choice(CATEGORIES),
        "status": random.choice(STATUSES),
        "tags": random.sample(LABELS, random.randrange(3)),
        "isPublic": random.random() < 0.5,
        "tests": [],
    }


def row_of_test(random: Random, dream: Row) -> Row:
    at = random.choice(TIMES)
    return {
        "id": uuid7(at, str(random.random())),
        "createdAt": at,
        "dream": dream,
        "provider": random.choice(TEXTS),
        "status": random.choice(TEST_STATUSES),
        "impossibilityScore": random.choice([None, *SCORES]),
        "durationMs": random.choice([None, *WHOLE]),
        "cost": random.choice([None, *COSTS]),
    }


class World:
    """Thirty dreams, and as many tests of some of them; a seed always makes the same."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)  # noqa: S311  nothing secret
        self.dreams = [row_of_dream(random) for _ in range(30)]
        some = random.choices(self.dreams[:20], k=30)
        self.tests = [row_of_test(random, dream) for dream in some]
        for test in self.tests:
            test["dream"]["tests"].append(test)


def _dream(row: Row) -> Row:
    return {
        "id": row["id"],
        "created_at": row["createdAt"],
        "updated_at": row["updatedAt"],
        "user_id": row["owner"] and row["owner"]["id"],
        "title": row["title"],
        "category": row["category"],
        "status": row["status"],
        "tags": row["tags"],
        "is_public": row["isPublic"],
    }


def _test(row: Row) -> Row:
    return {
        "id": row["id"],
        "created_at": row["createdAt"],
        "dream_id": row["dream"]["id"],
        "provider": row["provider"],
        "model": "gpt",
        "status": row["status"],
        "impossibility_score": row["impossibilityScore"],
        "duration": row["durationMs"],
        "cost": row["cost"],
    }


def _user(row: Row) -> Row:
    return {
        "id": row["id"],
        "created_at": row["createdAt"],
        "email": row["email"],
        "passport_tier": row["passportTier"],
    }


async def hold(database: Database, world: World) -> None:
    """Make the database hold a world."""
    async with database.write() as session:
        await partition.ensure(session, AiTest, TIMES)
        await session.execute(insert(User), [*map(_user, USERS)])
        await session.execute(insert(Dream), [*map(_dream, world.dreams)])
        await session.execute(insert(AiTest), [*map(_test, world.tests)])


def printed(row: Row) -> str:
    """The id of a row as answers show it."""
    return id_of((Dream if "title" in row else AiTest).Record, row["id"])
