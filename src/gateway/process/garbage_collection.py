"""Collector: when Python looks through everything for what only refers to itself.

Looking through all objects takes 60 microseconds for each open connection, and Python would do it
twice a minute, because timers come and go. So what is old is left alone, until it is worth while:
a connection that has ended leaves some 16 KB behind that nothing else finds.
"""

import asyncio
import gc
import time
from dataclasses import dataclass, field

from gateway.transport.connections import OpenStreams

NEVER = 1_000_000  # by itself
LOOK_SECONDS = 5.0
ENDED = 1_000  # streams
SECONDS = 600.0


@dataclass(slots=True)
class GarbageCollector:
    """Collects what the streams of a process leave behind."""

    streams: OpenStreams
    ended: int = 0
    at: float = field(default_factory=time.monotonic)

    async def run(self) -> None:
        """Until it is cancelled, what is there by now stays, what is young is collected as ever,
        and everything is looked through only when it is worth while."""
        young, middle, old = gc.get_threshold()
        gc.freeze()
        gc.set_threshold(young, middle, NEVER)
        try:
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                if self.is_due(time.monotonic()):
                    self.collect()
        finally:
            gc.set_threshold(young, middle, old)
            gc.unfreeze()

    def is_due(self, now: float) -> bool:
        """Whether enough has ended, or enough time has passed."""
        return self.streams.ended - self.ended >= ENDED or now - self.at >= SECONDS

    def collect(self) -> None:
        """Looks through everything."""
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self.ended, self.at = self.streams.ended, time.monotonic()
