"""Search: dreams, models, agents and users that match a text, in one list."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db.core.query.counting import Counted
from db.core.query.facets import FacetCounts
from db.core.query.keyset import MAX_SIZE, PageArgs
from db.core.values import validation
from db.search import SearchKind
from graph.agents import Agent
from graph.agents.types import READ as AGENTS
from graph.ai_models import AiModel
from graph.core.context import Context, Info, as_source
from graph.core.once import once
from graph.core.permission import PUBLIC, Access
from graph.core.types.connection import CURSOR, MAX_SEARCH, Connection, ListSource
from graph.core.types.field import argument, enum, field
from graph.core.types.unset import or_none
from graph.dreams import Dream
from graph.users import User
from graph.users.types import READ_ALL as USERS

COST = 40

enum(
    SearchKind,
    DREAM="Dreams, by the full-text search of `dreams`.",
    AI_MODEL="AI models whose provider, name or display name contains the text.",
    AGENT="Agents whose key contains the text. For operators.",
    USER="Users whose address or wallet contains the text. For operators.",
)

SearchResult = Annotated[
    Dream | AiModel | Agent | User,
    strawberry.union("SearchResult", description="Something that a search found."),
]
Text = Annotated[
    str,
    argument("What to search for.", validation.string(MAX_SEARCH, blank=False)),
]
Kinds = Annotated[
    list[SearchKind] | None,
    argument(
        "What to search; everything that the viewer may list if omitted. Kinds that the viewer may "
        "not list are left out.",
        validation.items(10),
    ),
]
First = Annotated[int, argument(f"Number of items to return, 0 to {MAX_SIZE}.")]
After = Annotated[str | None, argument("Return items after this cursor.", CURSOR)]


ACCESS: Mapping[SearchKind, Access] = {  # as that of the list of each kind
    SearchKind.DREAM: PUBLIC,
    SearchKind.AI_MODEL: PUBLIC,
    SearchKind.AGENT: AGENTS,
    SearchKind.USER: USERS,
}


def _allowed(context: Context, kinds: Sequence[SearchKind] | None) -> list[SearchKind]:
    asked = SearchKind if kinds is None else kinds
    may = context.principal.may
    return [kind for kind, access in ACCESS.items() if kind in asked and may(access)]


@strawberry.type
class Queries:
    @field(
        "What matches a text, ignoring case, newest first.",
        PUBLIC,
        cost=COST,
        reveals={"text": PUBLIC, "kinds": PUBLIC},
    )
    async def search(
        self,
        info: Info,
        text: Text,
        kinds: Kinds = None,
        first: First = 20,
        after: After = UNSET,
    ) -> Connection[SearchResult]:
        database, chosen = info.context.db, _allowed(info.context, kinds)

        async def count() -> Counted:
            async with database.read() as session:
                return await db.search.count(session, chosen, text)

        async def facet(_name: str) -> FacetCounts:
            return []

        async with database.read() as session:
            window = PageArgs(first=first, after=or_none(after))
            page = await db.search.page(session, chosen, text, window)
        return as_source(ListSource(page, once(count), facet))
