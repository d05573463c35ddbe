"""Broker: all subscriptions of this process.

Equal subscriptions with the same visibility share a group: each message is executed once and its
bytes go to all subscribers. A channel wakes the groups of its feed.
"""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

import orjson
from graphql import GraphQLError

from db import Database
from db.core.errors import DomainError
from db.core.feed import Position
from db.core.session.coalescing import ReadCoalescer
from db.core.values import json
from db.feeds import Feeds
from graph.core.context import Context
from graph.core.execution.execute import open_stream, run
from graph.core.execution.operation import Operation
from graph.core.execution.result import OperationResult
from graph.core.subscriptions.channel import Channel
from graph.core.subscriptions.group import SharedSubscription, Subscriber
from graph.core.subscriptions.polled import PolledGroup, PolledSource
from graph.core.subscriptions.sink import Sink
from graph.core.subscriptions.source import AnySource, SubscriptionStart
from graph.core.subscriptions.updates import UpdatePlanner
from graph.core.types.errors import formatted

BORROWER = "subscriptions"  # accounts its connections to all subscribers, not the first
Variables = dict[str, object] | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscriber's membership in a group."""

    group: SharedSubscription | PolledGroup
    member: Subscriber

    def close(self) -> None:
        self.group.leave(self.member)


class SubscriptionBroker:
    def __init__(self, database: Database) -> None:
        self.database = database = database.borrowed_by(BORROWER)
        self.feeds = Feeds(database)
        self.channels: dict[str, Channel] = {}
        self.polled: dict[Hashable, PolledGroup] = {}
        self.coalescer = ReadCoalescer(database)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.feeds.running():
            try:
                yield
            finally:
                for group in self.polled.values():
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
        started = await open_stream(operation, variables, context)
        if isinstance(started, OperationResult):
            return started
        assert isinstance(started, SubscriptionStart)  # noqa: S101  as `stream` declares
        start = started if after is None else replace(started, after=after)
        try:
            return await self._subscribe(operation, variables, context, start, Subscriber(sink))
        except DomainError as error:
            refused = formatted(
                GraphQLError(error.message, original_error=error), context.request_id
            )
            return OperationResult(None, [refused], executed=False)

    async def _subscribe(
        self,
        operation: Operation,
        variables: Variables,
        context: Context,
        start: SubscriptionStart,
        member: Subscriber,
    ) -> Subscription:
        key, source = _sharing_key(operation, variables, context), start.source
        context = replace(
            context, db=context.db.borrowed_by(BORROWER), coalescer=self.coalescer, claim=None
        )
        execute = partial(self._execute_message, operation, variables, context)
        if isinstance(source, PolledSource):
            self.polled = {key: group for key, group in self.polled.items() if group.members}
            polled_group = self.polled.setdefault(key, PolledGroup(source, self.coalescer, execute))
            polled_group.join(member)
            return Subscription(polled_group, member)
        channel = self._channel(source)
        after = start.after
        position = None if after is None else Position.parse(after, source.feed)
        planner = UpdatePlanner(source, channel.reader, context.db.metered(None), self.coalescer)
        group = SharedSubscription(planner, execute)
        return Subscription(await channel.join(key, group, member, position), member)

    async def _execute_message(
        self, operation: Operation, variables: Variables, context: Context, root: object
    ) -> OperationResult:
        await self.coalescer.turns.next(operation.text)
        return await run(operation, variables, replace(context, loaders={}), root)

    def _channel(self, source: AnySource) -> Channel:
        if source.feed not in self.channels:
            self.channels[source.feed] = Channel(self.feeds[source.feed], self.database)
        return self.channels[source.feed]


def _sharing_key(operation: Operation, variables: Variables, context: Context) -> Hashable:
    principal = context.principal
    names = operation.variable_names - {operation.cursor_variable}
    same = {name: value for name, value in (variables or {}).items() if name in names}
    encoded = json.dumps(same, option=orjson.OPT_SORT_KEYS)
    viewer = principal.rights if operation.is_viewer_independent else principal
    return operation.text, operation.name, encoded, viewer
