"""Proxying: a reverse proxy that shows a gateway under a path, as nginx does."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from support.stream_client import port
from support.tcp_server import closed, tcp_server


class Proxy:
    """One request per connection, so that each is rewritten; WebSockets pass as they are."""

    def __init__(
        self, upstream: str, prefix: str, strips: bool = True, headers: Mapping[str, str] = {}
    ) -> None:
        self.upstream = port(upstream)
        self.prefix = prefix
        self.strips = strips
        self.headers = headers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        above, below = await asyncio.open_connection("127.0.0.1", self.upstream)
        async with closed(below):
            below.write(self._rewritten(head).encode("latin-1"))
            await asyncio.gather(_relay(reader, below), _relay(above, writer))

    def _rewritten(self, head: str) -> str:
        (method, path, version), *lines = head.split("\r\n")[0].split(), *head.split("\r\n")[1:-2]
        assert path.startswith(f"{self.prefix}/"), f"{path} is not under {self.prefix}"
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if not any(line.lower().startswith("upgrade:") for line in lines):
            lines = [line for line in lines if not line.lower().startswith("connection:")]
            lines.append("connection: close")
        sent = path.removeprefix(self.prefix) if self.strips else path
        return "\r\n".join([f"{method} {sent} {version}", *lines, "", ""])


@asynccontextmanager
async def proxied(
    upstream: str, prefix: str, strips: bool = True, headers: Mapping[str, str] = {}
) -> AsyncIterator[str]:
    """The address of a gateway behind a proxy, prefix included."""
    proxy = Proxy(upstream, prefix, strips, headers)
    async with tcp_server(proxy.serve) as listen:
        yield f"http://127.0.0.1:{listen}{prefix}"


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    with suppress(OSError):
        writer.close()
