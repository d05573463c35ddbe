"""Garbage collection: full collections when they are worth it, and not before."""

import asyncio
import gc
import weakref

from gateway.process.garbage_collection import (
    ENDED,
    GROWTH,
    NEVER,
    SECONDS,
    YOUNG,
    GarbageCollector,
)
from gateway.transport.connections import OpenStreams
from graph.core.principal import DEVELOPERS


class Ring:
    """What only refers to itself."""

    def __init__(self) -> None:
        self.itself = self


async def test_old_things_are_left_alone_until_they_are_collected() -> None:
    before, collector = gc.get_threshold(), GarbageCollector(OpenStreams(0, 0, 0))
    ring = Ring()
    left = weakref.ref(ring)
    running = asyncio.create_task(collector.run())
    await asyncio.sleep(0)
    assert gc.get_threshold() == (YOUNG, before[1], NEVER)
    del ring
    gc.collect()
    assert left() is not None  # it is old, and Python does not look there
    collector.collect()
    assert left() is None
    running.cancel()
    await asyncio.wait({running})
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_it_is_due_when_many_streams_have_ended_or_much_time_has_passed() -> None:
    streams = OpenStreams(0, 0, 0)
    collector = GarbageCollector(streams)
    assert not collector.is_due(collector.at)
    assert collector.is_due(collector.at + SECONDS + 1)  # more than rounding takes away
    for _ in range(ENDED):
        with streams.admit(DEVELOPERS, lambda: None):
            pass
    assert collector.is_due(collector.at)
    collector.collect()
    assert not collector.is_due(collector.at)


def test_it_is_due_when_memory_has_grown_until_it_was_collected() -> None:
    collector = GarbageCollector(OpenStreams(0, 0, 0))
    held = [object() for _ in range(GROWTH)]
    assert collector.is_due(collector.at)
    collector.collect()
    assert not collector.is_due(collector.at)  # what is still in use is not garbage
    assert len(held) == GROWTH
    gc.unfreeze()
