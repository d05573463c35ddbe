"""Proxies: ways to a PostgreSQL that listens on a socket file alone: by TCP, and by TLS."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from db.core.connections.url import connection_info
from support.tcp_server import closed, tcp_server

TLS_REQUEST = bytes.fromhex("0000000804d2162f")


@asynccontextmanager
async def proxy(url: str, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of 127.0.0.1 where the server of a URL is reached; with `tls`, by TLS alone."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if tls is not None:
            if await reader.readexactly(len(TLS_REQUEST)) != TLS_REQUEST:
                return
            writer.write(b"S")
            await writer.start_tls(tls)
        await _join(reader, writer, f"{host.name}/.s.PGSQL.{host.port}")

    (host,) = connection_info(url).hosts
    async with tcp_server(serve) as port:
        yield port


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    """Forward in both directions until one side closes."""
    there, back = await asyncio.open_unix_connection(path)
    async with closed(back):
        ways = [_pass_on(reader, back), _pass_on(there, writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while text := await reader.read(65536):
        writer.write(text)
        await writer.drain()


LOCALHOST = "localhost"


class Authority:
    """Certificates of a server, named localhost by default, and of clients, signed by one
    authority."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self.root = self._write("root", self._signed(self._name, self._key, is_root=True))

    def context(self, *, asks_for_certificates: bool = False) -> ssl.SSLContext:
        """That of the server."""
        certificate, key = self.issue("localhost")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if asks_for_certificates:
            context.load_verify_locations(self.root)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def issue(
        self, name: str, password: str | None = None, host: str = LOCALHOST
    ) -> tuple[Path, Path]:
        """The files of a certificate and of its key."""
        key = generate_private_key(SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._write(name, self._signed(subject, key, host))
        how = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        path = self.folder / f"{name}.key"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
        return certificate, path

    def _signed(
        self,
        subject: x509.Name,
        key: EllipticCurvePrivateKey,
        host: str = LOCALHOST,
        *,
        is_root: bool = False,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        names: list[x509.GeneralName] = [x509.DNSName(host)]
        if host == LOCALHOST:
            names.append(x509.IPAddress(ip_address("127.0.0.1")))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        path = self.folder / f"{name}.crt"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return path
