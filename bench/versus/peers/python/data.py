"""What the servers with Strawberry and Ariadne share: reads and writes by SQLAlchemy's ORM, and
DataLoaders."""

from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

from aiodataloader import DataLoader
from sqlalchemy import Uuid, cast, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import aliased

from versus.peers.python.tables import (
    AgentState,
    AITest,
    Dream,
    ProgressLog,
    Session,
    SystemEvent,
    User,
)

Key = tuple[UUID, int]  # a dream and how many of its newest rows


async def dream(id: UUID) -> Dream | None:
    async with Session() as session:
        return await session.get(Dream, id)


async def dreams(limit: int) -> Sequence[Dream]:
    active = select(Dream).where(Dream.status == "ACTIVE")
    async with Session() as session:
        rows = await session.scalars(active.order_by(Dream.created_at.desc()).limit(limit))
        return rows.all()


async def agents() -> Sequence[AgentState]:
    async with Session() as session:
        return (await session.scalars(select(AgentState).order_by(AgentState.agent_key))).all()


async def update_agent(key: str, status: str, task: Any) -> AgentState:
    new = insert(AgentState).values(
        agent_key=key, status=status, last_active=func.now(), current_task=task
    )
    changed = {
        "status": new.excluded.status,
        "last_active": new.excluded.last_active,
        "current_task": new.excluded.current_task,
        "updated_at": func.now(),
    }
    upsert = new.on_conflict_do_update(index_elements=["agent_key"], set_=changed)
    event = {"event_type": "agent.status", "source": key, "severity": "INFO"}
    async with Session() as session, session.begin():
        agent = (await session.scalars(upsert.returning(AgentState))).one()
        session.add(SystemEvent(**event, payload={"status": status}))
        return agent


async def _users(ids: list[UUID]) -> list[User]:
    async with Session() as session:
        rows = await session.scalars(select(User).where(User.id.in_(ids)))
        users = {user.id: user for user in rows}
    return [users[id] for id in ids]


def _newest(
    table: type[AITest] | type[ProgressLog],
) -> Callable[[list[Key]], Coroutine[Any, Any, list[list[Any]]]]:
    """Load the newest rows of many dreams, by one statement for each limit."""

    async def load(keys: list[Key]) -> list[list[Any]]:
        ids_by_limit: dict[int, list[UUID]] = defaultdict(list)
        for id, limit in keys:
            ids_by_limit[limit].append(id)
        rows: dict[Key, list[Any]] = defaultdict(list)
        for limit, ids in ids_by_limit.items():
            for row in await _rows(table, ids, limit):
                rows[row.dream_id, limit].append(row)
        return [rows[key] for key in keys]

    return load


async def _rows(
    table: type[AITest] | type[ProgressLog], ids: list[UUID], limit: int
) -> Sequence[Any]:
    array = cast(ids, ARRAY(Uuid))
    parent = func.unnest(array).table_valued("id", name="parent").render_derived()
    own = select(table).where(table.dream_id == parent.c.id)
    newest = aliased(table, own.order_by(table.created_at.desc()).limit(limit).lateral("newest"))
    async with Session() as session:
        return (
            await session.scalars(select(newest).select_from(parent).join(newest, true()))
        ).all()


class Loaders:
    """The DataLoaders of one request."""

    def __init__(self) -> None:
        self.user: DataLoader[UUID, User] = DataLoader(_users)
        self.tests: DataLoader[Key, list[AITest]] = DataLoader(_newest(AITest))
        self.logs: DataLoader[Key, list[ProgressLog]] = DataLoader(_newest(ProgressLog))
