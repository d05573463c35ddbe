"""Search: rows of several nouns that match a text, newest first.

Ids are times in every table, so one cursor is a place in all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, or_
from sqlalchemy.dialects.postgresql import REGCONFIG

from db import agents, ai_models, dreams, users
from db.core.query import looking
from db.core.query.counting import MAX_COUNT, Counted
from db.core.query.keyset import Page, PageArgs, decode
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

    @property
    def is_walked(self) -> bool:
        """True if no index serves the search of a list that grows."""
        return bool(self.columns) and self.listing.grows

    async def page(self, session: ReadSession, text: str, window: PageArgs) -> Page[Table]:
        slice = self.args(text, window)
        if self.is_walked:
            slice = await looking.within_rows(session, self.listing, slice, looking.LOOKED)
        return await self.listing.page(session, slice, *self.conditions(text))

    async def count(self, session: ReadSession, text: str) -> Counted:
        limits: list[ColumnElement[bool]] = []
        if self.is_walked:
            all_rows, most = ListArgs(), looking.COUNTED
            limits = await looking.first_rows(session, self.listing, all_rows, most)
        slice, conditions = self.args(text, PageArgs()), self.conditions(text)
        counted = await looking.count(session, self.listing, slice, *conditions, *limits)
        return replace(counted, is_whole=not limits)


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
    """The newest rows of some kinds, at most one page of all. It ends where the look at one of
    them does. Raises Invalid."""
    found = [await SEARCHED[kind].page(session, text, window) for kind in kinds]
    order = dreams.LISTING.order(())
    end = max((some.end for some in found if some.end is not None), key=_place, default=None)
    rows = sorted((row for some in found for row in some.records), key=_id, reverse=True)
    looked = rows if end is None else [row for row in rows if row.id >= _place(end)]
    more = any(some.has_next for some in found) or len(looked) > window.size
    is_full = len(looked) >= window.size
    shown = looked[: window.size]
    return Page(shown, order, more, window.after is not None, end=None if is_full else end)


def _id(row: Table) -> UUID:
    return row.id


def _place(cursor: str) -> UUID:
    [id] = decode(dreams.LISTING.order(()), cursor)
    return cast("UUID", id)


async def count(session: ReadSession, kinds: Sequence[SearchKind], text: str) -> Counted:
    """The number of rows of some kinds, or more than MAX_COUNT."""
    rows, is_whole = 0, True
    for each in map(SEARCHED.__getitem__, kinds):
        if rows <= MAX_COUNT:
            counted = await each.count(session, text)
            rows, is_whole = rows + counted.rows, is_whole and counted.is_whole
    return Counted(rows, is_whole)
