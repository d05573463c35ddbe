"""Worker: claims tests, runs several at once, extends their claims, and sends the results."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import httpx2
import structlog

from db.core.error_codes import ErrorCode
from gateway.worker.api import Api, Claim, RequestFailed
from gateway.worker.items import Adapter, Impossible, Judge

POLL_SECONDS = 30.0  # between looks for tests that were delayed after a failed attempt
AGAIN_SECONDS = 2.0  # after the gateway could not be reached
SENT_AT_MOST = 5  # times that a result is sent while the gateway cannot be reached
REASON = 1_000  # characters of an exception that are stored
UNREACHABLE = (httpx2.TransportError, ValueError)  # the latter for a body that is no JSON

log = structlog.get_logger()


class Worker:
    """Runs up to `at_once` tests at a time, each for at most `seconds`."""

    def __init__(
        self,
        api: Api,
        adapter: Adapter,
        judge: Judge | None = None,
        at_once: int = 4,
        seconds: float = 600,
    ) -> None:
        self.api, self.adapter, self.judge = api, adapter, judge
        self.at_once, self.seconds = at_once, seconds
        self.running: dict[str, asyncio.Task[None]] = {}  # by the ID of the claim
        self.wakeup = asyncio.Event()
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`; then give back the tests that run."""
        helpers = [asyncio.create_task(each()) for each in (self._listen, self._extend)]
        try:
            while not self.stopping.is_set():
                self.wakeup.clear()
                await self._claim()
                await _first(self.wakeup, POLL_SECONDS)
        finally:
            for task in [*helpers, *self.running.values()]:
                task.cancel()
            await asyncio.gather(*helpers, *self.running.values(), return_exceptions=True)

    def stop(self) -> None:
        self.stopping.set()
        self.wakeup.set()

    async def _claim(self) -> None:
        while (free := self.at_once - len(self.running)) > 0:
            try:
                claims = await self.api.claim(free)
            except (*UNREACHABLE, RequestFailed) as error:
                self._warn("tests could not be claimed", error)
                await _first(self.stopping, AGAIN_SECONDS)
                self.wakeup.set()
                return
            for claim in claims:
                self.running[claim.id] = asyncio.create_task(self._work(claim))
            if not claims:
                return

    async def _work(self, claim: Claim) -> None:
        try:
            await self._attempt(claim)
        except asyncio.CancelledError:
            if self.stopping.is_set():
                await self._send(lambda: self.api.release(claim, None))
            raise
        finally:
            self.running.pop(claim.id, None)
            self.wakeup.set()

    async def _attempt(self, claim: Claim) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.seconds):
                answer = await self.adapter(claim.item)
                took = round((time.monotonic() - started) * 1000)
                verdict = await self.judge(claim.item, answer) if self.judge else None
        except Impossible as error:
            reason = str(error)[:REASON]
            await self._send(lambda: self.api.fail(claim, reason))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:REASON]
            log.warning("an attempt failed", test=claim.test_id, reason=type(error).__name__)
            await self._send(lambda: self.api.release(claim, reason))
        else:
            await self._send(lambda: self.api.complete(claim, answer, verdict, took))

    async def _send(self, request: Callable[[], Awaitable[None]]) -> None:
        """Send a result, again while the gateway cannot be reached. If it was stored although the
        response was lost, the next attempt is refused, as for a claim that is lost."""
        for _ in range(SENT_AT_MOST):
            try:
                return await request()
            except UNREACHABLE as error:
                self._warn("a result could not be sent", error)
            except RequestFailed as error:
                self._warn("a result was refused", error)
                if not ErrorCode.of_name(error.code).retryable:
                    return None
            await asyncio.sleep(AGAIN_SECONDS)
        return None

    async def _extend(self) -> None:
        """Extend the claims of running tests, and stop tests whose claims are lost."""
        while True:
            await asyncio.sleep(self.api.wanted.lease_seconds / 3)
            held = list(self.running)
            with suppress(*UNREACHABLE, RequestFailed):
                for lost in await self.api.extend(held) if held else []:
                    if task := self.running.get(lost):
                        task.cancel()

    async def _listen(self) -> None:
        """Wake up when tests begin to wait."""
        while True:
            try:
                async for kind in self.api.waiting():
                    if kind != "HEARTBEAT":
                        self.wakeup.set()
            except (*UNREACHABLE, RequestFailed) as error:
                self._warn("waiting tests cannot be followed", error)
            await asyncio.sleep(AGAIN_SECONDS)

    def _warn(self, message: str, error: Exception) -> None:
        log.warning(message, reason=str(error) or type(error).__name__)


async def _first(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
