"""Mail settings: the SMTP server for notifications by e-mail."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from db.core.values.email import is_address
from gateway.setting_types import is_loopback
from gateway.settings.mail_server import MailServer
from gateway.settings.section import Section


def _is_server(url: SecretStr) -> SecretStr:
    MailServer.of_url(url.get_secret_value())  # a ValueError says what is wrong
    return url


def _is_sender(text: str) -> str:
    if not is_address(text) or not text.isascii():
        raise ValueError("must be an e-mail address, such as dreamnet@example.org")
    return text


class MailSettings(Section):
    """Notifications by e-mail."""

    smtp_url: Annotated[SecretStr, AfterValidator(_is_server)] | None = Field(
        default=None,
        description="SMTP server for notifications by e-mail, such as "
        "`smtp://user:password@mail.example.org:587` with STARTTLS, or `smtps://` with TLS from "
        "the start; if unset, no mail is sent.",
    )
    smtp_tls: Literal["on", "off"] = Field(
        default="on",
        description="Whether the connection to the SMTP server must be encrypted: `on`, or `off` "
        "for a server without TLS, to which no password is sent unless it is on loopback.",
    )
    mail_from: Annotated[str, AfterValidator(_is_sender)] | None = Field(
        default=None,
        description="Address that mail is sent from. Required for `DREAMNET_SMTP_URL`.",
    )

    @property
    def mail_server(self) -> MailServer | None:
        return MailServer.of_url(self.smtp_url.get_secret_value()) if self.smtp_url else None

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        server = self.mail_server
        if server is None:
            return self
        if self.mail_from is None:
            raise ValueError(
                "DREAMNET_SMTP_URL needs DREAMNET_MAIL_FROM, the address of the sender."
            )
        if self.smtp_tls == "off" and server.begins_with_tls:
            raise ValueError("DREAMNET_SMTP_TLS=off contradicts smtps:// in DREAMNET_SMTP_URL.")
        if self.smtp_tls == "off" and server.password and not is_loopback(server.host):
            raise ValueError(
                "DREAMNET_SMTP_TLS=off would send the password of DREAMNET_SMTP_URL in plain text."
            )
        return self
