"""Catalogue: `dreamnet catalogue`, the models and prices that come with this version."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import typer
from rich.console import Console
from rich.table import Table

from db import Database, WriteSession
from db.ai_models import PRICES, AiModel, catalogue
from db.ai_models.catalogue import Catalogue, Comparison, State
from db.core.connections.url import ConnectionInfo
from db.core.errors import DomainError
from db.core.session.audit_context import AuditContext
from gateway.exit_codes import EXIT_CODES, CommandFailed, ExitCode
from gateway.process.database import migrated_url
from gateway.settings import load

SHOWN = PRICES[1:]  # input and output
COMMAND = AuditContext("dreamnet catalogue")  # the actor in the audit log
Work = Callable[[WriteSession, Catalogue], Awaitable[list[Comparison]]]

app = typer.Typer(
    help="Show the AI models and prices that come with this version, and store them.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
)


@app.command(epilog=EXIT_CODES)
def show() -> None:
    """List the models of the catalogue and how the database differs. Nothing is changed."""
    shipped = catalogue.shipped()
    table = Table("Provider", "Model", "Input", "Output", "In the database")
    for each in _on_database(catalogue.compare, shipped):
        table.add_row(*_cells(each))
    Console().print(_title(shipped), "Prices are in US dollars per 1,000 tokens.", table, sep="\n")


@app.command(epilog=EXIT_CODES)
def update() -> None:
    """Store the models of the catalogue that are missing, and change prices that differ.

    A price that changed after the date of the catalogue is kept. Costs of existing tests stay
    unchanged.
    """
    shipped = catalogue.shipped()
    compared = _on_database(catalogue.update, shipped)
    typer.echo(_title(shipped))
    for each in compared:
        if each.state == State.OTHER_PRICE:
            typer.echo(_change(each))
    counts = Counter(each.state for each in compared)
    typer.echo(
        f"{counts[State.NEW]} models added, {counts[State.OTHER_PRICE]} repriced, "
        f"{counts[State.CHANGED_LATER]} kept because their prices changed later, "
        f"{counts[State.SAME_PRICE]} unchanged."
    )


def _on_database(work: Work, shipped: Catalogue) -> list[Comparison]:
    """Run `work` in a transaction. Raises CommandFailed."""

    async def run(url: ConnectionInfo) -> list[Comparison]:
        database = Database(url, pool_size=1)
        try:
            async with database.write(COMMAND) as session:
                return await work(session, shipped)
        finally:
            await database.close()

    with migrated_url(load()) as url:
        try:
            return asyncio.run(run(url))
        except DomainError as error:
            raise CommandFailed(error.message, ExitCode.PROBLEMS) from error


def _title(shipped: Catalogue) -> str:
    return f"{len(shipped.models)} models, {shipped.source}, as of {shipped.date:%Y-%m-%d}."


def _cells(compared: Comparison) -> tuple[str, ...]:
    entry = compared.entry
    prices = (f"{entry[name]:f}" for name in SHOWN)
    return entry["provider"], entry["name"], *prices, _difference(compared)


def _difference(compared: Comparison) -> str:
    if compared.state in (State.NEW, State.SAME_PRICE):
        return compared.state
    return f"{compared.state}: {_shown(compared.model)}"


def _change(compared: Comparison) -> str:
    entry = compared.entry
    named = f"{entry['provider']} {entry['name']}"
    after = " and ".join(f"{entry[name]:f}" for name in SHOWN)
    return f"{named}: {_shown(compared.model)} → {after}"


def _shown(model: AiModel | None) -> str:
    prices = [getattr(model, name) for name in SHOWN]
    return " and ".join("unknown" if price is None else f"{price:f}" for price in prices)
