"""Background: tasks that belong to no single request."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import TypeVar

T = TypeVar("T")


def background(work: Coroutine[object, None, T]) -> asyncio.Task[T]:
    """A task with a context of its own, so that its log lines do not name one request."""
    return asyncio.create_task(work, context=Context())
