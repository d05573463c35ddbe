"""Clients: commands that use the API of a gateway, as every other client does."""

from typing import Annotated, Literal

import typer

from gateway import log_format
from gateway.settings import logs_as_json


def work(
    provider: Annotated[str, typer.Option(help="Provider of the models to run.")],
    adapter: Annotated[str, typer.Option(help="Function that calls a model, as module:function.")],
    judge: Annotated[
        str | None,
        typer.Option(help="Function that scores an answer; without one there is no score."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Name of a model to run; repeatable. All if omitted.")
    ] = None,
    url: Annotated[str, typer.Option(help="Address of the gateway.")] = "http://127.0.0.1:8000",
    at_once: Annotated[int, typer.Option(min=1, max=100, help="Tests that run at a time.")] = 4,
    lease: Annotated[int, typer.Option(min=5, max=3600, help="Seconds of a claim.")] = 60,
    seconds: Annotated[int, typer.Option(min=1, help="Most seconds of an attempt.")] = 600,
) -> None:
    """Run tests of the work queue through the API of a gateway, until Ctrl-C.

    An example of a worker, described in docs/work-queue.md. DREAMNET_WORK_KEY is its API key.
    """
    from gateway.cli import work as worker  # imports the client of HTTP

    log_format.configure(logs_as_json(), "info")
    worker.run(worker.Options(url, adapter, judge, provider, model, at_once, lease, seconds))


def mcp(
    url: Annotated[str, typer.Option(help="Address of the gateway.")] = "http://127.0.0.1:8000",
    transport: Annotated[
        Literal["stdio", "http"], typer.Option(help="How clients connect: stdio, or http at /mcp.")
    ] = "stdio",
    host: Annotated[str, typer.Option(help="Address to listen on, with http.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port, with http.")] = 8001,
    allowed_host: Annotated[
        list[str] | None, typer.Option(help="Host that clients may name; repeatable.")
    ] = None,
    allowed_origin: Annotated[
        list[str] | None, typer.Option(help="Origin of pages that may connect; repeatable.")
    ] = None,
    documents: Annotated[
        bool,
        typer.Option("--documents", help="Print its documents as a manifest, and serve nothing."),
    ] = False,
) -> None:
    """Offer the API of a gateway to AI assistants as tools of the Model Context Protocol.

    With stdio, DREAMNET_MCP_KEY is the API key of all calls; with http, each client sends its own.
    """
    from gateway.cli import mcp as tools  # imports the client of HTTP

    log_format.configure(logs_as_json(), "info")
    tools.check_installed()
    if documents:
        typer.echo(tools.manifest())
        return
    tools.run(tools.Options(url, transport, host, port, allowed_host or [], allowed_origin or []))
