"""Mail: notifications that users want by e-mail are sent to them, each once."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text, update

from db import Database, notifications
from db.notifications import Notification, mail
from db.users import User
from gateway import maintenance
from gateway.mail.delivery import DELAYS, Mailer
from gateway.settings import Settings
from gateway.settings.mail_server import MailServer
from graph.core.types.node import global_id
from support.factories import make_user
from support.gateways import gateway, make_key, production, signed_in
from support.logged import logging_to
from support.mailbox import LOGIN, Mailbox, certificate
from support.mutations import stored
from support.wait import until

CHOOSE = """mutation ($input: SetEmailNotificationsInput!) {
  setEmailNotifications(input: $input) { user { emailNotifications } errors { code message field } }
}"""
SEND = """mutation ($input: SendNotificationInput!) {
  sendNotification(input: $input) { errors { message } }
}"""
SENDER = "dreamnet@example.org"
TITLE = "Tonight\r\nBcc: eve@example.org\r\n\r\nGive me your password — ünïcode"


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def mailer(database: Database, mailbox: Mailbox) -> Mailer:
    server = MailServer("127.0.0.1", mailbox.port, begins_with_tls=False)
    return Mailer(database, server, SENDER, is_encrypted=False)


@pytest.fixture
async def ada(database: Database) -> User:
    return await make_user(
        database, email="ada@example.org", email_notifications=["MAINTENANCE", "TEST_FAILED"]
    )


async def notify(database: Database, user: User, kind: str = "MAINTENANCE", **more: Any) -> None:
    async with database.write() as session:
        await notifications.send(session, user.id, kind=kind, **{"title": "Tonight"} | more)


async def jobs(database: Database) -> int:
    async with database.unrestricted().read() as session:
        return len(await session.rows(text("select id from procrastinate_jobs")))


async def time_passes(database: Database) -> None:
    """Let the time of each next attempt come."""
    async with database.write() as session:
        await session.execute(text("update procrastinate_jobs set scheduled_at = now()"))


async def test_a_user_gets_the_chosen_kinds_by_mail(
    database: Database, mailbox: Mailbox, mailer: Mailer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, user = production(), await make_user(database, email="ada@example.org")
    key = await make_key(database, settings, user_id=user.id, scopes=["users:write"])
    async with signed_in(gateway(settings, database), key.text) as send:
        kinds = ["MAINTENANCE", "KEY_EXPIRES", "MAINTENANCE"]
        chosen = (await send(CHOOSE, input={"kinds": kinds}))["setEmailNotifications"]
        wrong = (await send(CHOOSE, input={"kinds": [""]}))["setEmailNotifications"]
    assert chosen == {
        "user": {"emailNotifications": ["KEY_EXPIRES", "MAINTENANCE"]},
        "errors": [],
    }
    assert wrong["errors"][0]["field"] == ["kinds", "0"]

    operator = await make_key(database, settings, scopes=["notifications:send"])
    log = io.StringIO()
    monkeypatch.setattr(maintenance, "MESSAGE_SECONDS", 0.05)
    url = f"smtp://127.0.0.1:{mailbox.port}"
    sending = production(smtp_url=url, smtp_tls="off", mail_from=SENDER)
    app = gateway(sending, Database(database.url))
    async with mailbox.listening(), signed_in(app, operator.text) as send:
        to = {"userId": global_id(user), "title": TITLE, "body": "At ten.\n.\nQUIT\n"}
        for kind in ("MAINTENANCE", "ANOTHER"):
            input = to | {"kind": kind, "idempotencyKey": kind}
            for _ in range(2):  # the second time it is the same notification
                assert await send(SEND, input=input) == {"sendNotification": {"errors": []}}
            with logging_to(log):
                await until(lambda: mailbox.messages)
                await mailer.run_due()

    [message] = mailbox.messages
    assert mailbox.recipients == ["ada@example.org"]
    assert message["Subject"] == " ".join(TITLE.split())
    assert [message["Bcc"], message["From"], message["To"]] == [None, SENDER, "ada@example.org"]
    [sent] = [n for n in await stored(database, Notification) if n.kind == "MAINTENANCE"]
    assert message["Message-ID"] == f"<{sent.id.hex}@example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    content = message.get_content().replace("\r\n", "\n")
    assert content.startswith("At ten.\n.\nQUIT\n\n\n-- \nYou get this message")
    assert await jobs(database) == 0
    for private in ("Tonight", "At ten", "ada@example.org"):
        assert private not in log.getvalue()


async def test_after_the_server_was_down_each_mail_is_sent_once(
    database: Database, mailbox: Mailbox, mailer: Mailer, ada: User
) -> None:
    for number in range(3):
        await notify(database, ada, title=f"Number {number}")
    for _ in range(4):
        await mailer.run_due()
        await mailer.run_due()  # none is due before its time
        await time_passes(database)
    mailbox.answer = "451 Later"
    async with mailbox.listening():
        await mailer.run_due()
        await time_passes(database)
        mailbox.answer = "250 OK"
        for _ in range(3):
            await mailer.run_due()
            await time_passes(database)

    assert mailbox.attempts == 6
    subjects = sorted(message["Subject"] for message in mailbox.messages)
    assert subjects == ["Number 0", "Number 1", "Number 2"]
    assert await jobs(database) == 0


async def test_a_mail_that_is_refused_for_good_is_given_up(
    database: Database, mailbox: Mailbox, mailer: Mailer, ada: User
) -> None:
    await notify(database, ada)
    mailbox.answer = "550 No such mailbox: ada@example.org"
    async with mailbox.listening():
        for _ in range(3):
            await mailer.run_due()
            await time_passes(database)

    assert (mailbox.attempts, await jobs(database)) == (1, 0)


async def test_attempts_end_and_what_is_left_is_removed(
    database: Database, mailer: Mailer, ada: User
) -> None:
    assert timedelta(days=1) < sum(DELAYS, timedelta()) < mail.LATEST
    await notify(database, ada)
    for _ in range(len(DELAYS) + 2):
        await mailer.run_due()
        await time_passes(database)
    assert await jobs(database) == 1  # failed
    assert await mail.remove_expired(database) == 0

    async with database.write() as session:
        old = {"created_at": session.now() - mail.LATEST}
        await session.execute(update(Notification).values(old))
    assert (await mail.remove_expired(database), await jobs(database)) == (1, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"email_notifications": []},
        {"email": None},
        {"email_copy": 1},  # another user has the address now
        {"disabled_at": text("now()")},
    ],
)
async def test_who_does_not_want_mail_any_more_gets_none(
    database: Database, mailbox: Mailbox, mailer: Mailer, ada: User, change: dict[str, Any]
) -> None:
    await notify(database, ada)
    assert await jobs(database) == 1
    async with database.write() as session:
        await session.execute(update(User).where(User.id == ada.id).values(change))
    await notify(database, ada)
    async with mailbox.listening():
        await mailer.run_due()

    assert (mailbox.attempts, await jobs(database)) == (0, 0)


async def test_a_password_is_sent_over_tls_alone(
    database: Database, ada: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_one, closed = Mailbox(), Mailbox()
    context, file = certificate(tmp_path)

    def mailer(mailbox: Mailbox) -> Mailer:
        url = f"smtp://ada:correct%20horse@127.0.0.1:{mailbox.port}"
        return Mailer(database, MailServer.of_url(url), SENDER)

    await notify(database, ada)
    async with open_one.listening(), closed.listening(context):
        await mailer(open_one).run_due()  # has no TLS
        await time_passes(database)
        await mailer(closed).run_due()  # has a certificate that nobody signed
        await time_passes(database)
        assert (open_one.logins, closed.logins, closed.messages) == ([], [], [])
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        await mailer(closed).run_due()

    assert closed.logins == [LOGIN.login]
    assert [message["To"] for message in closed.messages] == ["ada@example.org"]
    assert (open_one.attempts, await jobs(database)) == (0, 0)


async def test_a_user_without_an_address_cannot_choose(database: Database) -> None:
    settings = production()
    user = await make_user(database, email=None, wallet_address=f"0x{'a' * 40}")
    key = await make_key(database, settings, user_id=user.id)
    async with signed_in(gateway(settings, database), key.text) as send:
        answer = (await send(CHOOSE, input={"kinds": ["X"]}))["setEmailNotifications"]
    assert answer["errors"][0]["code"] == "CONFLICT"


def settings_with(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"smtp_url": "smtp://mail.example.org"}, "needs DREAMNET_MAIL_FROM"),
        ({"smtp_url": "http://mail.example.org", "mail_from": SENDER}, "must be a URL"),
        ({"smtp_url": "smtp://ada@mail.example.org", "mail_from": SENDER}, "must be a URL"),
        ({"smtp_url": "smtp://mail.example.org:x", "mail_from": SENDER}, "must be a URL"),
        ({"mail_from": "Ada <ada@example.org>"}, "must be an e-mail address"),
        (
            {"smtp_url": "smtps://m.example", "mail_from": SENDER, "smtp_tls": "off"},
            "contradicts smtps://",
        ),
        (
            {"smtp_url": "smtp://a:b@m.example", "mail_from": SENDER, "smtp_tls": "off"},
            "in plain text",
        ),
    ],
)
def test_settings_of_mail_that_are_refused(given: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as refused:
        settings_with(**given)
    assert "smtp://a" not in str(refused.value)


def test_the_server_of_a_url() -> None:
    given = settings_with(smtp_url="smtps://a%40b:c%2Fd@mail.example.org", mail_from=SENDER)
    server = MailServer("mail.example.org", 465, True, "a@b", "c/d")
    assert given.mail_server == server
    assert "c/d" not in repr(given) + repr(server)
