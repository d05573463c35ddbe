"""Broker: all subscriptions of this process.

Equal subscriptions with the same visibility share a group: each message is executed once and its
bytes go to all subscribers. A channel wakes the groups of its feed.
"""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
from graphql import GraphQLError

from db import Database
from db.core.errors import DomainError
from db.core.feed import Position
from db.core.session.coalescing import ReadCoalescer
from db.core.values import json
from db.feeds import Feeds
from graph.core.context import Context
from graph.core.execution.operation import Operation, OperationResult, open_stream, run
from graph.core.subscriptions.channel import Channel
from graph.core.subscriptions.group import SharedSubscription, Subscriber
from graph.core.subscriptions.polled import PolledGroup, PolledSource
from graph.core.subscriptions.sink import Sink
from graph.core.subscriptions.source import Source, SubscriptionStart
from graph.core.subscriptions.updates import UpdatePlanner
from graph.core.types.errors import formatted

BORROWER = "subscriptions"  # accounts its connections to all subscribers, not the first
Variables = dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscriber's membership in a group."""

    group: SharedSubscription | PolledGroup
    member: Subscriber

    def close(self) -> None:
        """End the subscription. Idempotent."""
        self.group.leave(self.member)


class SubscriptionBroker:
    def __init__(self, database: Database) -> None:
        self.database = database = database.borrowed_by(BORROWER)
        self.feeds = Feeds(database)
        self.channels: dict[str, Channel] = {}
        self.series: dict[Hashable, PolledGroup] = {}
        self.coalescer = ReadCoalescer(database)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Accept subscriptions. On exit, stop all deliveries."""
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
        sink: Sink,
        after: str | None = None,
    ) -> Subscription | OperationResult:
        """Subscribe a sink, from a snapshot or after a cursor. Returns the result of a rejected
        operation. `after` overrides the cursor in the operation."""
        opened = await open_stream(operation, variables, context)
        if isinstance(opened, OperationResult):
            return opened
        opening = opened if after is None else replace(opened, after=after)
        try:
            return await self._opened(operation, variables, context, opening, Subscriber(sink))
        except DomainError as error:
            refused = formatted(
                GraphQLError(error.message, original_error=error), context.request_id
            )
            return OperationResult(None, [refused], executed=False)

    async def _opened(
        self,
        operation: Operation,
        variables: Variables,
        context: Context,
        opening: SubscriptionStart,
        member: Subscriber,
    ) -> Subscription:
        key, source = _key(operation, variables, context), opening.source
        context = replace(
            context, db=context.db.borrowed_by(BORROWER), coalescer=self.coalescer, claim=None
        )
        execute = partial(self._tell, operation, variables, context)
        if isinstance(source, PolledSource):
            self.series = {key: group for key, group in self.series.items() if group.members}
            watching = self.series.setdefault(key, PolledGroup(source, self.coalescer, execute))
            watching.join(member)
            return Subscription(watching, member)
        channel = self._channel(source)
        after = opening.after
        position = None if after is None else Position.parse(after, source.feed)
        planner = UpdatePlanner(source, channel.reader, context.db.metered(None), self.coalescer)
        group = SharedSubscription(planner, execute)
        return Subscription(await channel.join(key, group, member, position), member)

    async def _tell(
        self, operation: Operation, variables: Variables, context: Context, root: Any
    ) -> OperationResult:
        """Execute one message in its own turn, with its own loaders."""
        await self.coalescer.turns.next(operation.text)
        return await run(operation, variables, replace(context, loaders={}), root)

    def _channel(self, source: Source) -> Channel:
        if source.feed not in self.channels:
            self.channels[source.feed] = Channel(self.feeds[source.feed], self.database)
        return self.channels[source.feed]


def _key(operation: Operation, variables: Variables, context: Context) -> Hashable:
    """The key of subscriptions that receive the same messages."""
    who = context.principal
    names = operation.variable_names - {operation.cursor}
    same = {name: value for name, value in (variables or {}).items() if name in names}
    asked = json.dumps(same, option=orjson.OPT_SORT_KEYS)
    viewer = None if operation.is_viewer_independent else who
    return operation.text, operation.name, asked, who.role, who.scopes, viewer
