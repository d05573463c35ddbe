"""Mailbox: an SMTP server of the test's own, on loopback, that keeps what it accepts."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.ports import free_port

LOGIN = LoginPassword(b"ada", b"correct horse")


@dataclass
class Mailbox:
    """Answers to each message with `answer`."""

    port: int = field(default_factory=free_port)
    answer: str = "250 OK"
    attempts: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        self.attempts += 1
        if self.answer.startswith("250"):
            content = envelope.original_content or b""
            message: Any = message_from_bytes(content, policy=policy.default)
            self.messages.append(message)
            self.recipients += envelope.rcpt_tos
        return self.answer

    def login(self, *given: Any) -> AuthResult:
        self.logins.append(given[-1].login)
        return AuthResult(success=given[-1] == LOGIN)

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        """Within the context the server can be reached; with `tls` it has STARTTLS and accounts."""

        def protocol() -> SMTP:
            secured: dict[str, Any] = {}
            if tls is not None:
                secured = {"tls_context": tls, "require_starttls": True, "auth_required": True}
            return SMTP(self, hostname="localhost", authenticator=self.login, **secured)

        server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", self.port)
        async with server:
            yield


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """The context of a server on 127.0.0.1 with a certificate of its own, and its file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(host, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file, secret = folder / "server.pem", folder / "server.key"
    file.write_bytes(made.public_bytes(pem))
    secret.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return context, file
