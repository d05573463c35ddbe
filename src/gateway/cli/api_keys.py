"""API keys: `dreamnet keys`, to manage them on the machine of the gateway."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from db import Database, ReadSession, WriteSession, api_keys, identity, scopes, users
from db.api_keys import writes
from db.api_keys.writes import NewKey
from db.core.connections.url import ConnectionInfo
from db.core.errors import DomainError, NotFound
from db.core.session.audit_context import AuditContext
from db.core.session.database import ResultRow
from gateway.auth.pepper import api_key_codec
from gateway.exit_codes import EXIT_CODES, CommandFailed, ExitCode
from gateway.process.database import migrated_url
from gateway.settings import Settings, load

T = TypeVar("T")
Work = Callable[[WriteSession], Awaitable[T]]

COMMAND = AuditContext("dreamnet keys")  # the actor in the audit log
UNITS = {"m": "minutes", "h": "hours", "d": "days"}

app = typer.Typer(
    help="Create, list, rotate and revoke API keys. Their rights are described in "
    "docs/identity.md.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)
Id = Annotated[
    str, typer.Argument(help="ID of the key: the eight characters that `dreamnet keys list` shows.")
]
Time = Annotated[
    str | None,
    typer.Option(
        help="Time until the key expires: 90d, 12h or 30m. It does not expire if omitted."
    ),
]


@app.command(epilog=EXIT_CODES)
def create(
    user: Annotated[str, typer.Option(help="E-mail address of the user that the key acts as.")],
    service: Annotated[str, typer.Option(help="Name of the program that will use the key.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="Right of the key, such as agents:write; repeatable. Without scopes, the key has "
            "all rights of its user."
        ),
    ] = None,
    expires: Time = None,
) -> None:
    """Create a key and print it. It cannot be shown again."""
    settings = load()
    until = datetime.now(UTC) + _duration(expires) if expires is not None else None

    async def made(session: WriteSession) -> NewKey:
        found = await _user(session, user)
        return await writes.create(
            session,
            api_key_codec(settings),
            user_id=found.id,
            service=service,
            scopes=scope or (),
            expires_at=until,
        )

    _show(_on_database(settings, made))


@app.command("list", epilog=EXIT_CODES)
def list_() -> None:
    """List all keys, without their secrets, which are not stored."""
    columns = ("Id", "User", "Service", "Scopes", "Created", "Last used", "State")
    table = Table(*columns, title="API keys")
    for key in _on_database(load(), api_keys.everyone):
        table.add_row(*map(Text, _cells(key)))
    Console().print(table)


@app.command(epilog=EXIT_CODES)
def revoke(id: Id) -> None:
    """Revoke a key and those created with it. Every gateway refuses them within five seconds."""

    async def revoked(session: WriteSession) -> None:
        await writes.revoke(session, id)

    _on_database(load(), revoked)
    typer.echo(f"{id} is revoked.")


@app.command(epilog=EXIT_CODES)
def rotate(
    id: Id, overlap: Annotated[str, typer.Option(help="How long the old key stays valid.")] = "24h"
) -> None:
    """Create a replacement for a key and print it. It cannot be shown again."""
    settings, time = load(), _duration(overlap)

    async def rotated(session: WriteSession) -> NewKey:
        return await writes.rotate(session, api_key_codec(settings), id, time)

    _show(_on_database(settings, rotated))


async def _user(session: ReadSession, email: str) -> users.User:
    if (found := await identity.by_email(session, email)) is None:
        raise NotFound(f"There is no user with the address {email}.")
    return found


def _on_database(settings: Settings, work: Work[T]) -> T:
    """Run `work` in a transaction. Raises CommandFailed."""

    async def run(url: ConnectionInfo) -> T:
        database = Database(url, pool_size=1)
        try:
            async with database.write(COMMAND) as session:
                return await work(session)
        finally:
            await database.close()

    with migrated_url(settings) as url:
        try:
            return asyncio.run(run(url))
        except DomainError as error:
            raise CommandFailed(error.message, ExitCode.PROBLEMS) from error


def _show(key: NewKey) -> None:
    typer.echo(
        f"Key {key.record.prefix}, which is not shown again; store it as a secret:", err=True
    )
    typer.echo(key.text)


def _cells(key: ResultRow) -> tuple[str, ...]:
    allowed = ", ".join(_described_scopes(key)) or "all rights of its user"
    times = (_day(key.created_at), _day(key.last_used_at))
    return (key.prefix, key.email or str(key.user_id), key.service, allowed, *times, _state(key))


def _described_scopes(key: ResultRow) -> list[str]:
    role = users.lowest(key.role, key.max_role)
    useless = scopes.beyond(role, key.scopes) if role else []
    needed = {name: f"{name} (requires {scopes.SCOPES[name].role})" for name in useless}
    return [needed.get(name, name) for name in key.scopes]


def _state(key: ResultRow) -> str:
    if key.revoked_at:
        return f"revoked {_day(key.revoked_at)}"
    if key.disabled_at:
        return f"user disabled {_day(key.disabled_at)}"
    if key.expires_at is None:
        return "valid"
    ends = "expired" if key.expires_at <= datetime.now(UTC) else "valid until"
    return f"{ends} {_day(key.expires_at)}"


def _day(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else ""


def _duration(text: str) -> timedelta:
    """A length of time as 90d. Raises CommandFailed."""
    if (found := re.fullmatch(r"(\d{1,4})([mhd])", text)) is None:
        raise CommandFailed(f"{text!r} is not a duration: write 90d, 12h or 30m.", ExitCode.USAGE)
    return timedelta(**{UNITS[found[2]]: int(found[1])})
