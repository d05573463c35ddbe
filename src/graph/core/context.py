"""Context: what every resolver of one operation can reach."""

from dataclasses import dataclass, field
from typing import Any

import strawberry
from sqlalchemy import Executable

from db import Database
from graph.core.permission import Principal


@dataclass(slots=True)
class Context:
    """One operation: its database, who asks, and the loaders it has used so far."""

    db: Database
    principal: Principal
    request_id: str
    loaders: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.db = self.db.seen_by(self.principal.sight)


Info = strawberry.Info[Context, None]


async def rows(info: Info, statement: Executable) -> Any:
    """All rows of a statement that `db` made: the sources of a list of values."""
    async with info.context.db.read() as session:
        return await session.rows(statement)
