"""Following: subscribers without a transport."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson

from graph.core.context import Context
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.principal import DEVELOPER, Principal
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.core.subscriptions.sink import Message
from graph.schema import schema
from support.wait import patience, until


class Follower:
    """A sink that keeps its messages. It stops reading if `ready` is False."""

    def __init__(self) -> None:
        self.ready = True
        self.messages: list[Any] = []
        self.payloads: list[bytes] = []
        self.errors: list[Any] | None = None
        self.arrived = asyncio.Event()

    def send(self, message: Message) -> None:
        assert self.ready
        answer = orjson.loads(message.payload)
        assert "errors" not in answer, answer
        (update,) = answer["data"].values()
        self.messages.append(update)
        self.payloads.append(message.payload)
        self.arrived.set()

    def end(self, errors: list[dict[str, Any]] | None = None) -> None:
        self.errors = errors or []
        self.arrived.set()

    async def until(self, condition: Callable[[list[Any]], Any]) -> list[Any]:
        """All messages, once they fulfil a condition."""
        async with patience():
            while not condition(self.messages):
                self.arrived.clear()
                await self.arrived.wait()
        return self.messages

    async def number(self, number: int) -> Any:
        """The message of that number, from 1, once it is there."""
        return (await self.until(lambda messages: len(messages) >= number))[number - 1]


Follow = Callable[..., Awaitable[Follower]]


@asynccontextmanager
async def following(live: SubscriptionBroker) -> AsyncIterator[Follow]:
    """`await follow(text, variables, who)`: a subscriber, within the context."""
    subscriptions = []

    async def follow(
        text: str,
        variables: dict[str, Any] | None = None,
        who: Principal = DEVELOPER,
        after: str | None = None,
    ) -> Follower:
        follower = Follower()
        context = Context(live.database, who, "test-request")
        opened = await live.open(prepare(schema, text), variables, context, follower, after)
        if isinstance(opened, OperationResult):
            raise Refused(opened.errors)
        subscriptions.append(opened)
        return follower

    async with live.running():
        yield follow
        for subscription in subscriptions:
            subscription.close()


async def level(live: SubscriptionBroker, feed: str) -> None:
    """Return when all subscribers of a feed have received everything and are idle."""
    channel = live.channels[feed]
    await until(
        lambda: (
            not any(
                group.task or any(map(group.planner.has_pending, group.cohorts))
                for group in channel.groups.values()
            )
        )
    )


class Refused(Exception):
    """The errors of a subscription that was refused."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors
