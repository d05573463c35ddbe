"""Garbage collection: when Python's cycle collector runs over all objects.

A full collection takes 60 microseconds per open connection, and Python would start one twice a
minute, because of short-lived timers. So old objects are frozen until enough garbage may have
gathered: a connection that ended leaves 16 KB in reference cycles, and an operation that
graphql-core executed leaves several objects per field. Those of plans leave none.

Young objects are looked through each time there are 10,000 more. With Python's 700, those of
requests in progress are looked through again and again, which took 5 % of a point read.
"""

import asyncio
import gc
import sys
import time
from dataclasses import dataclass, field

from gateway.transport.connections import OpenStreams

YOUNG = 10_000  # objects
NEVER = 1_000_000  # the threshold that is never reached
LOOK_SECONDS = 1.0
ENDED = 1_000  # streams
SECONDS = 600.0
GROWTH = 400_000  # blocks of memory, about 40 MB


@dataclass(slots=True)
class GarbageCollector:
    """Collects the garbage of ended streams and of operations."""

    streams: OpenStreams
    ended: int = 0
    at: float = field(default_factory=time.monotonic)
    blocks: int = field(default_factory=sys.getallocatedblocks)

    async def run(self) -> None:
        """Until cancelled, freeze the objects of now, collect young ones, and run a full collection
        only when it is due."""
        young, middle, old = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(YOUNG, middle, NEVER)
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if self.is_due(time.monotonic()):
                    self.collect()
        finally:
            gc.set_threshold(young, middle, old)
            gc.unfreeze()

    def is_due(self, now: float) -> bool:
        """True if many streams have ended, memory has grown, or much time has passed."""
        has_grown = sys.getallocatedblocks() - self.blocks >= GROWTH
        return has_grown or self.streams.ended - self.ended >= ENDED or now - self.at >= SECONDS

    def collect(self) -> None:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self.ended, self.at = self.streams.ended, time.monotonic()
        self.blocks = sys.getallocatedblocks()
