"""Business: a random history of dreams, tests and users, and its figures computed in Python."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from statistics import median
from typing import Any
from uuid import UUID

from sqlalchemy import delete, update

from db import Database
from db.dreams import Dream
from support.factories import (
    make_ai_test,
    make_dream,
    make_progress_log,
    make_user,
    make_user_action,
)

DAY = timedelta(days=1)
STATUSES = ["DRAFT", "ACTIVE", "ACHIEVED", "ARCHIVED"]
MODELS = [("acme", "one"), ("acme", "two"), ("zeta", "one")]
Figures = dict[str, Any]


@dataclass
class DreamStory:
    """The first times of one dream, by stage."""

    written: datetime
    is_remix: bool
    firsts: dict[str, datetime] = field(default_factory=dict)
    status: str = ""
    is_tested: bool = False

    def reach(self, status: str, is_public: bool, at: datetime) -> None:
        if status != "ACHIEVED" or self.status not in ("", status):  # else since when is unknown
            self.firsts.setdefault(status, at)
        if is_public:
            self.firsts.setdefault("PUBLIC", at)
        self.status = status

    @property
    def days(self) -> float | None:
        active, achieved = self.firsts.get("ACTIVE"), self.firsts.get("ACHIEVED")
        return (achieved - active) / DAY if active and achieved and active <= achieved else None


class Business:
    """Rows of the last `days`, stored at random."""

    def __init__(self, database: Database, seed: int, days: int = 80) -> None:
        self.database, self.days = database, days
        self.random = Random(seed)  # noqa: S311  no secret
        self.dreams: dict[UUID, DreamStory] = {}
        self.tests: list[tuple[datetime, tuple[str, str]]] = []
        self.joined: dict[UUID, datetime] = {}
        self.active: list[tuple[datetime, UUID]] = []

    async def begin(self) -> None:
        self.now = await self.database.now()
        for _ in range(8):
            at = self.time()
            self.joined[(await make_user(self.database, created_at=at)).id] = at
        for _ in range(30):
            await self._write()
        for _ in range(60):
            await self._act()
        await self._delete()

    def time(self) -> datetime:
        return self.now - self.days * DAY * self.random.random()

    async def _write(self) -> None:
        at, status, public = self.time(), self.random.choice(STATUSES), self.random.random() < 0.5
        source = self.random.choice([None, *self.dreams])
        owner = self.random.choice([None, *self.joined])
        rest = {"user_id": owner, "remixed_from_id": source, "created_at": at}
        dream = await make_dream(self.database, status=status, is_public=public, **rest)
        story = self.dreams[dream.id] = DreamStory(at, source is not None)
        story.reach(status, public, at)
        for _ in range(self.random.randrange(4)):
            at += (self.now - at) * self.random.random()
            status, public = self.random.choice(STATUSES), self.random.random() < 0.5
            await self._change(dream.id, status=status, is_public=public, updated_at=at)
            story.reach(status, public, at)
        if self.random.random() < 0.5:
            await make_progress_log(self.database, dream_id=dream.id)
            story.is_tested = True

    async def _change(self, id: UUID, **values: object) -> None:
        async with self.database.write() as session:
            await session.execute(update(Dream).where(Dream.id == id).values(**values))

    async def _act(self) -> None:
        user, at = self.random.choice([None, *self.joined]), self.time()
        if self.random.random() < 0.5:
            await make_user_action(self.database, user_id=user, timestamp=at)
        else:
            model = self.random.choice(MODELS)
            names = {"provider": model[0], "model": model[1]}
            dream = self.random.choice(list(self.dreams))
            rest = {"dream_id": dream, "user_id": user, "created_at": at}
            await make_ai_test(self.database, **names, **rest)
            self.tests.append((at, model))
        if user:
            self.active.append((at, user))

    async def _delete(self) -> None:
        """A dream without tests: its milestones go with it."""
        gone = (await make_dream(self.database, created_at=self.time())).id
        async with self.database.write() as session:
            await session.execute(delete(Dream).where(Dream.id == gone))

    def figures(self, since: datetime, until: datetime) -> Figures:
        def within(at: datetime | None) -> bool:
            return at is not None and since <= at < until

        dreams = self.dreams.values()
        achieved = [dream for dream in dreams if within(dream.firsts.get("ACHIEVED"))]
        days = [dream.days for dream in achieved if dream.days is not None]
        models = [model for at, model in self.tests if within(at)]
        return {
            "dreamsWritten": sum(within(dream.written) for dream in dreams),
            "dreamsPublished": sum(within(dream.firsts.get("PUBLIC")) for dream in dreams),
            "dreamsAchieved": len(achieved),
            "dreamsRemixed": sum(within(dream.written) and dream.is_remix for dream in dreams),
            "medianDaysToAchieve": median(days) if days else None,
            "testCount": len(models),
            "modelCount": len(set(models)),
            "activeUsers": len({user for at, user in self.active if within(at)}),
        }

    def funnel(self, since: datetime, until: datetime) -> dict[str, int]:
        written = [dream for dream in self.dreams.values() if since <= dream.written < until]
        tested = [dream for dream in written if dream.is_tested]
        published = [dream for dream in tested if "PUBLIC" in dream.firsts]
        return {"written": len(written), "tested": len(tested), "published": len(published)}

    def retention(self, weeks: list[datetime], until: datetime) -> list[dict[str, Any]]:
        """The users who joined in each week, and how many were active in it and in later ones."""
        return [self._cohort(weeks[index:], until) for index in range(len(weeks))]

    def _cohort(self, weeks: list[datetime], until: datetime) -> dict[str, Any]:
        joined = [(at, user) for user, at in self.joined.items()]
        users = of_week(joined, weeks[0], until)
        counts = [len(users & of_week(self.active, week, until)) for week in weeks]
        return {"week": printed(weeks[0]), "users": len(users), "activeUsers": counts}


def of_week(rows: list[tuple[datetime, UUID]], week: datetime, until: datetime) -> set[UUID]:
    return {user for at, user in rows if monday(at) == week and at < until}


def midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def monday(at: datetime) -> datetime:
    return midnight(at) - at.weekday() * DAY


def printed(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
