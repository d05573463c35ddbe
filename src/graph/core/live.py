"""Live: everybody who is subscribed in this process.

Equal subscriptions, of those who may see the same, form one group: each message is executed once
and its bytes go to all of them. A channel wakes the groups of its feed.
"""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
from graphql import GraphQLError

from db import Database
from db.core import json
from db.core.errors import DomainError
from db.core.feed import Position
from db.core.reads import Reads
from db.feeds import Feeds
from graph.core.channel import Channel
from graph.core.context import Context
from graph.core.errors import formatted
from graph.core.group import Group, Member
from graph.core.operation import Answer, Operation, open_stream, run
from graph.core.outlet import Outlet
from graph.core.series import Series, SeriesGroup
from graph.core.steps import Steps
from graph.core.stream import Opening, Source

BORROWER = "subscriptions"  # messages are for many, whoever subscribed first
Variables = dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscriber's place in a group."""

    group: Group | SeriesGroup
    member: Member

    def close(self) -> None:
        """Gives it up. May be called more than once."""
        self.group.leave(self.member)


class Live:
    """The subscriptions of one process."""

    def __init__(self, database: Database) -> None:
        self.database = database = database.lent_to(BORROWER)
        self.feeds = Feeds(database)
        self.channels: dict[str, Channel] = {}
        self.series: dict[Hashable, SeriesGroup] = {}
        self.reads = Reads(database)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Within it, subscriptions can be opened; on leaving, nobody is told anything more."""
        async with self.feeds.running():
            try:
                yield
            finally:
                for group in self.series.values():
                    group.stop()
                for channel in self.channels.values():
                    await channel.stop()

    async def open(
        self,
        operation: Operation,
        variables: Variables,
        context: Context,
        outlet: Outlet,
        after: str | None = None,
    ) -> Subscription | Answer:
        """Subscribes an outlet, from a snapshot or after a cursor; an Answer where it is refused.
        A cursor given here goes before that of the operation."""
        opened = await open_stream(operation, variables, context)
        if isinstance(opened, Answer):
            return opened
        opening = opened if after is None else replace(opened, after=after)
        try:
            return await self._opened(operation, variables, context, opening, Member(outlet))
        except DomainError as error:
            refused = formatted(
                GraphQLError(error.message, original_error=error), context.request_id
            )
            return Answer(None, [refused], executed=False)

    async def _opened(
        self,
        operation: Operation,
        variables: Variables,
        context: Context,
        opening: Opening,
        member: Member,
    ) -> Subscription:
        key, source = _key(operation, variables, context), opening.source
        context = replace(context, db=context.db.lent_to(BORROWER), reads=self.reads, claim=None)
        tell = partial(self._tell, operation, variables, context)
        if isinstance(source, Series):
            self.series = {key: group for key, group in self.series.items() if group.members}
            watching = self.series.setdefault(key, SeriesGroup(source, self.reads, tell))
            watching.join(member)
            return Subscription(watching, member)
        channel = self._channel(source)
        after = opening.after
        position = None if after is None else Position.parse(after, source.feed)
        steps = Steps(source, channel.reader, context.db.metered(None), self.reads)
        group = Group(steps, tell)
        return Subscription(await channel.join(key, group, member, position), member)

    async def _tell(
        self, operation: Operation, variables: Variables, context: Context, root: Any
    ) -> Answer:
        """One message, in a turn of its own; whatever it loads is loaded for this message."""
        await self.reads.turns.next(operation.text)
        return await run(operation, variables, replace(context, loaders={}), root)

    def _channel(self, source: Source) -> Channel:
        if source.feed not in self.channels:
            self.channels[source.feed] = Channel(self.feeds[source.feed], self.database)
        return self.channels[source.feed]


def _key(operation: Operation, variables: Variables, context: Context) -> Hashable:
    """What subscriptions have in common that are told the same."""
    who = context.principal
    names = operation.variable_names - {operation.cursor}
    same = {name: value for name, value in (variables or {}).items() if name in names}
    asked = json.dumps(same, option=orjson.OPT_SORT_KEYS)
    viewer = None if operation.is_alike else who
    return operation.text, operation.name, asked, who.role, who.scopes, viewer
