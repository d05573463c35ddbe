"""Spender: an anonymous client that spends many times what it may."""

import asyncio
import time

from cluster.gateways import BUDGET, WORKERS
from cluster.requests import Client
from graph.core.quota import LEASES

OPERATION = "{ modelComparison { rows { model } } }"
POINTS = 100
PAUSE_SECONDS = 0.1
MINUTE = 60


class Spender:
    def __init__(self, client: Client) -> None:
        self.client = client
        self.began = time.monotonic()
        self.accepted = 0
        self.refused = 0

    async def run(self) -> None:
        while True:
            status, _ = await self.client.send(OPERATION)
            self.accepted += status == 200
            self.refused += status == 429
            await asyncio.sleep(PAUSE_SECONDS)

    @property
    def spent(self) -> int:
        return self.accepted * POINTS

    def allowed(self, gateways: int) -> float:
        """At most: the limit of each minute, of the one that began before, and a lease of each
        worker."""
        minutes = (time.monotonic() - self.began) / MINUTE
        return BUDGET * (minutes + 1) + gateways * WORKERS * BUDGET / LEASES
