"""Delivery: one attempt to deliver a message, and when the next one is.

Source: the specification Standard Webhooks, for headers, signatures and secrets.
"""

import asyncio
import json
import ssl
from datetime import datetime, timedelta
from uuid import UUID

import httpx2
import structlog
from procrastinate import App, JobContext
from procrastinate.jobs import Job
from standardwebhooks import Webhook as Signer

from db import Database
from db.core.jobs import running
from db.webhooks import outbox
from db.webhooks.outbox import Outgoing
from db.webhooks.secrets import signing_secrets
from gateway.webhooks.addresses import Destinations, Refused

ATTEMPT_SECONDS = 15.0
MAX_ANSWER = 64 * 1024  # bytes that are read of an answer
CONCURRENCY = 10
# After the n-th attempt; the last one is two days after the first.
DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 30, 120, 300, 900, 1_800, *[3_600] * 4, *[7_200] * 4, *[14_400] * 8)
)
USER_AGENT = "dreamnet-gateway"

log = structlog.get_logger()


class NotDelivered(Exception):
    """The receiver did not accept the message; the message says why."""


def is_last(job: Job) -> bool:
    return job.attempts >= len(DELAYS)


class Deliverer:
    """Delivers the messages of a database. `tls` says whose certificates are trusted: by default
    those of the authorities of the web, whatever the environment says."""

    def __init__(
        self,
        database: Database,
        pepper: bytes,
        destinations: Destinations,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.database = database
        self.pepper = pepper
        self.destinations = destinations
        self.tls = tls or httpx2.create_ssl_context(trust_env=False)
        self.app = App(connector=running.Connector(database))
        task = self.app.task(
            name=outbox.TASK, queue=outbox.QUEUE, retry=running.Retry(DELAYS), pass_context=True
        )
        task(self._attempt)

    async def run_due(self) -> None:
        """Deliver what is due. Raises as sessions do."""
        await running.run_due(self.app, outbox.QUEUE, CONCURRENCY)

    async def _attempt(self, context: JobContext, delivery_id: str) -> None:
        """Deliver a message, unless it was delivered. Raises NotDelivered."""
        id = UUID(delivery_id)
        async with self.database.unrestricted().read() as session:
            message, now = await outbox.outgoing(session, id), session.now()
        if message is None:
            return
        try:
            await self._deliver(message, now)
        except NotDelivered as error:
            await outbox.note_failure(self.database, id, str(error), is_last(context.job))
            raise
        await outbox.note_success(self.database, id)

    async def _deliver(self, message: Outgoing, now: datetime) -> None:
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                status = await self._post(message, now)
        except TimeoutError:
            raise NotDelivered(f"No answer within {ATTEMPT_SECONDS:g} s.") from None
        except Refused as refused:
            raise NotDelivered(str(refused)) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise NotDelivered(f"The receiver cannot be reached: {type(error).__name__}.") from None
        if not 200 <= status < 300:
            raise NotDelivered(f"The receiver answered with the status {status}.")

    async def _post(self, message: Outgoing, now: datetime) -> int:
        """Send a message to an address that was checked, whatever its name resolves to later. No
        proxy of the environment and no redirect is followed."""
        url = httpx2.URL(message.webhook.url)
        address = await self.destinations.checked(url)
        content = json.dumps(message.delivery.payload, separators=(",", ":"))
        headers = {"host": url.netloc.decode(), **self._signed(message, content, now)}
        async with (
            httpx2.AsyncClient(trust_env=False, timeout=ATTEMPT_SECONDS, verify=self.tls) as client,
            client.stream(
                "POST",
                url.copy_with(host=address),
                content=content.encode(),
                headers=headers,
                extensions={"sni_hostname": url.host},
                follow_redirects=False,
            ) as response,
        ):
            await _discard(response)
            return int(response.status_code)

    def _signed(self, message: Outgoing, content: str, now: datetime) -> dict[str, str]:
        id = f"msg_{message.delivery.id.hex}"
        secrets = signing_secrets(self.pepper, message.webhook, now)
        signatures = [Signer(secret).sign(id, now, content) for secret in secrets]
        return {
            "content-type": "application/json",
            "user-agent": USER_AGENT,
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


async def _discard(response: httpx2.Response) -> None:
    """Read an answer up to its bound, so that its connection ends in order."""
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > MAX_ANSWER:
            return
