"""Work: `dreamnet work`, a worker that runs queued tests with an adapter."""

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

import httpx2

from gateway.exit_codes import CommandFailed, ExitCode
from gateway.worker import Adapter, Judge, Worker
from gateway.worker.api import TIMEOUT_SECONDS, Api, Wanted

KEY = "DREAMNET_WORK_KEY"


@dataclass(frozen=True, slots=True)
class Options:
    """What a worker runs, where, and how. `adapter` and `judge` are module:function."""

    url: str
    adapter: str
    judge: str | None
    provider: str
    models: Sequence[str] | None
    at_once: int
    lease_seconds: int
    seconds: int


def run(options: Options) -> None:
    """Work until SIGINT or SIGTERM. Raises CommandFailed."""
    adapter = cast("Adapter", named(options.adapter))
    judge = cast("Judge", named(options.judge)) if options.judge else None
    if not (key := os.environ.get(KEY)):
        message = f"Set {KEY} to an API key with the scopes tests:work and dreams:read."
        raise CommandFailed(message, ExitCode.USAGE)
    asyncio.run(_work(options, adapter, judge, key))


async def _work(options: Options, adapter: Adapter, judge: Judge | None, key: str) -> None:
    wanted = Wanted(options.provider, options.models, socket.gethostname(), options.lease_seconds)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(
        base_url=options.url, headers=headers, timeout=TIMEOUT_SECONDS
    ) as client:
        worker = Worker(Api(client, wanted), adapter, judge, options.at_once, options.seconds)
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, worker.stop)
        await worker.run()


def named(name: str) -> object:
    """The function `module:function`. Raises CommandFailed."""
    module, _, function = name.partition(":")
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        message = f"{name!r} is not module:function of an importable module: {error}."
        raise CommandFailed(message, ExitCode.USAGE) from error
