"""Search: rows of several nouns that match a text, newest first.

Ids are times in every table, so one cursor is a place in all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, or_
from sqlalchemy.dialects.postgresql import REGCONFIG

from db import agents, ai_models, dreams, users
from db.core.query import looking
from db.core.query.counting import MAX_COUNT, Counted
from db.core.query.keyset import Page, PageArgs
from db.core.query.listing import ListArgs, ListSpec, searched
from db.core.session.database import ReadSession
from db.core.table import Column, Table


class SearchKind(StrEnum):
    """What can be found."""

    DREAM = "DREAM"
    AI_MODEL = "AI_MODEL"
    AGENT = "AGENT"
    USER = "USER"


@dataclass(frozen=True, slots=True)
class Searched:
    """A list, and the columns that contain the text; none if the list has a search of its own."""

    listing: ListSpec
    columns: tuple[Column, ...] = ()

    def conditions(self, text: str) -> list[ColumnElement[bool]]:
        if not self.columns:  # the list would be whole without a searchable word
            query = func.websearch_to_tsquery(literal("english", REGCONFIG), searched(text))
            return [func.numnode(query) > 0]
        return [or_(*(column.icontains(text, autoescape=True) for column in self.columns))]

    def args(self, text: str, window: PageArgs) -> ListArgs:
        return ListArgs(search=None if self.columns else text, window=window)


SEARCHED: Mapping[SearchKind, Searched] = {
    SearchKind.DREAM: Searched(dreams.LISTING),
    SearchKind.AI_MODEL: Searched(
        ai_models.LISTING,
        (
            ai_models.AiModel.provider,
            ai_models.AiModel.name,
            ai_models.AiModel.display_name,
        ),
    ),
    SearchKind.AGENT: Searched(agents.LISTING, (agents.Agent.agent_key,)),
    SearchKind.USER: Searched(users.LISTING, (users.User.email, users.User.wallet_address)),
}


async def page(
    session: ReadSession, kinds: Sequence[SearchKind], text: str, window: PageArgs
) -> Page[Table]:
    """The newest rows of some kinds, at most one page of all. Raises Invalid."""
    found = [
        await each.listing.page(session, each.args(text, window), *each.conditions(text))
        for each in map(SEARCHED.__getitem__, kinds)
    ]
    order = dreams.LISTING.order(())
    rows = sorted((row for some in found for row in some.records), key=_id, reverse=True)
    more = any(some.has_next for some in found) or len(rows) > window.size
    return Page(rows[: window.size], order, more, has_previous=window.after is not None)


def _id(row: Table) -> UUID:
    return row.id


async def count(session: ReadSession, kinds: Sequence[SearchKind], text: str) -> Counted:
    """The number of rows of some kinds, or more than MAX_COUNT."""
    total = 0
    for each in map(SEARCHED.__getitem__, kinds):
        if total <= MAX_COUNT:
            slice = each.args(text, PageArgs())
            counted = await looking.count(session, each.listing, slice, *each.conditions(text))
            total += counted.rows
    return Counted(total)
