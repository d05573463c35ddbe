"""Delivery: one attempt to hand a message to the SMTP server, and when the next one is."""

from datetime import timedelta
from uuid import UUID

import aiosmtplib
import structlog
from procrastinate import App, JobContext

from db import Database
from db.core.jobs import running
from db.notifications import mail
from db.notifications.mail import OutgoingMail
from gateway.mail.message import email
from gateway.settings.mail_server import MailServer

ATTEMPT_SECONDS = 30.0
CONCURRENCY = 4
# After the n-th attempt; the last one is two days after the first.
DELAYS = tuple(
    timedelta(seconds=seconds)
    for seconds in (30, 120, 300, 900, 1_800, *[3_600] * 5, *[7_200] * 5, *[14_400] * 7)
)

log = structlog.get_logger()


class NotSent(Exception):
    """The server did not take the message; the message says why."""


class Mailer:
    """Sends the messages of a database."""

    def __init__(
        self, database: Database, server: MailServer, sender: str, *, is_encrypted: bool = True
    ) -> None:
        self.database = database
        self.server = server
        self.sender = sender
        self.is_encrypted = is_encrypted
        self.app = App(connector=running.Connector(database))
        retry = running.Retry(DELAYS)
        task = self.app.task(name=mail.TASK, queue=mail.QUEUE, retry=retry, pass_context=True)
        task(self._attempt)

    async def run_due(self) -> None:
        """Send what is due. Raises as sessions do."""
        await running.run_due(self.app, mail.QUEUE, CONCURRENCY)

    async def _attempt(self, context: JobContext, notification_id: str) -> None:
        """Send a message, unless its user does not want it any more. Raises NotSent to retry."""
        async with self.database.unrestricted().read() as session:
            outgoing = await mail.outgoing(session, UUID(notification_id))
        if outgoing is None:
            return
        try:
            await self._send(outgoing)
        except NotSent as error:
            is_last = context.job.attempts >= len(DELAYS)
            facts = {"notification": notification_id, "reason": str(error), "is_last": is_last}
            log.warning("mail not sent", **facts)
            raise

    async def _send(self, outgoing: OutgoingMail) -> None:
        """Raises NotSent. A message that the server refuses permanently is given up."""
        try:
            await self._hand_over(outgoing)
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as error:
            codes = _codes(error)
            if not _is_refused(error, codes):
                raise NotSent(f"The server answered with {codes}.") from None
            log.warning("mail refused", notification=str(outgoing.notification.id), codes=codes)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotSent(f"The server cannot be used: {type(error).__name__}.") from None
        except ValueError:
            log.warning("mail refused", notification=str(outgoing.notification.id), codes=[])

    async def _hand_over(self, outgoing: OutgoingMail) -> None:
        server = self.server
        await aiosmtplib.send(
            email(outgoing, self.sender),
            sender=self.sender,
            recipients=[outgoing.address],
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.begins_with_tls,
            start_tls=self.is_encrypted and not server.begins_with_tls,
            timeout=ATTEMPT_SECONDS,
        )


def _codes(error: aiosmtplib.SMTPException) -> list[int]:
    """The answers of a server, by their numbers: their texts may name the address."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return [recipient.code for recipient in error.recipients]
    return [error.code] if isinstance(error, aiosmtplib.SMTPResponseException) else []


def _is_refused(error: aiosmtplib.SMTPException, codes: list[int]) -> bool:
    """True for permanent answers about this message (RFC 5321 §4.2.1), not about the server."""
    about = (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPDataError)
    return isinstance(error, about) and all(500 <= code < 600 for code in codes)
