"""Background: work for many, whoever happened to set it off."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any, TypeVar

T = TypeVar("T")


def background(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A task with a context of its own, or its log lines would bear the name of one request."""
    return asyncio.create_task(work, context=Context())
