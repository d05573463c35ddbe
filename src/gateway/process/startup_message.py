"""Startup message: printed by `dreamnet serve` to standard output when it is ready.

It is text for people, or one line of JSON if the log is JSON.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

import orjson
import typer
from rich.console import Console


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """The addresses of the gateway; `token` opens the console once."""

    version: str
    env: str
    base: str
    data: str
    token: str | None = None

    @property
    def console(self) -> str:
        return f"{self.base}/console" + (f"?token={self.token}" if self.token else "")

    def show(self, as_json: bool) -> None:
        if as_json:
            print_event("serving", **self._fields())
        else:
            Console(highlight=False, soft_wrap=True).print(self._text())

    def _fields(self) -> dict[str, str]:
        return {
            "version": self.version,
            "env": self.env,
            "graphql": f"{self.base}/graphql",
            "console": self.console,
            "health": f"{self.base}/health",
            "data": self.data,
        }

    def _text(self) -> str:
        return "\n".join(
            [
                f"[bold]DreamNet gateway {self.version}[/bold] ({self.env})",
                f"  GraphQL  {self.base}/graphql",
                f"  Console  {self.console}",
                f"  Health   {self.base}/health",
                f"  Data     {self.data}",
                "Ctrl-C stops it.",
            ]
        )


def base(host: str, port: int, root_path: str | None = None) -> str:
    """The URL of a gateway on that host; localhost if it listens on all addresses."""
    named = "localhost" if is_unspecified(host) else f"[{host}]" if ":" in host else host
    return f"http://{named}:{port}{root_path or ''}"


def is_unspecified(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def print_event(event: str, **fields: object) -> None:
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    line = {"event": event, **fields, "level": "info", "timestamp": at}
    typer.echo(orjson.dumps(line))
