"""Client processes: the clients of docs/clients.md in processes of their own, and the messages that
they received."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from clients.follow import follow
from support.nodejs import BINARIES, TESTS, installed, locked, run
from support.ports import free_port
from support.wait import patience

FOLDER = TESTS / "clients"
LIVE = TESTS.parent / "web" / "packages" / "live"
PEPPER = "p" * 32
TYPESCRIPT = (
    "graphql-ws",
    "graphql-sse",
    "urql",
    "urql-fetch",
    "apollo",
    "apollo-multipart",
    "relay",
    "tanstack",
)
FOLLOWERS = (*TYPESCRIPT, "curl", "gql")


async def clients_installed() -> None:
    """Install the clients, and build the package of this repository that they use, once."""
    await installed(LIVE)
    built = LIVE / "dist" / "resume.js"
    with locked(LIVE / "tsconfig.json"):
        changed = max(each.stat().st_mtime for each in LIVE.glob("src/*.ts"))
        if not built.exists() or built.stat().st_mtime < changed:
            await run("npm", "run", "build", folder=LIVE)
    await installed(FOLDER)


class Gateway:
    """A gateway in its own process, which can be restarted on the same port."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self.host = f"127.0.0.1:{free_port()}"
        self.folder = folder
        self.settings = {
            "DATABASE_URL": database_url,
            "DREAMNET_PORT": self.host.rpartition(":")[2],
            "DREAMNET_KEY_PEPPER": PEPPER,
            "DREAMNET_SPREAD_SECONDS": "1",
            "DREAMNET_LOG_LEVEL": "error",
        }
        self.log = folder / "errors.log"
        self.process: Process | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """It runs within the context, unless it is stopped."""
        await self.start()
        try:
            yield
        finally:
            await self.kill()

    async def start(self) -> None:
        serve = (sys.executable, "-m", "gateway", "serve")
        env = {**os.environ, **self.settings}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *serve, cwd=self.folder, env=env, stdout=PIPE, stderr=log
            )
        assert self.process.stdout
        await self.process.stdout.readline()  # the greeting comes when it listens

    async def kill(self) -> None:
        assert self.process
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    async def stop(self) -> None:
        assert self.process
        self.process.terminate()
        assert await self.process.wait() == 0


class ReceivedMessages:
    """Messages that clients received: the `updates` of the history, the `state` of all agents at
    one client, the last `live` state of each, and the result of any other operation."""

    def __init__(self) -> None:
        self.updates: dict[str, list[Any]] = defaultdict(list)
        self.state: Any = None
        self.live: dict[str, str] = {}
        self.answers: dict[str, dict[str, Any]] = defaultdict(dict)
        self.news = asyncio.Event()

    def note(self, client: str, step: str, what: Any) -> None:
        if step == "update":
            self.updates[client].append(what)
        elif step == "state":
            self.state = {agent["key"]: agent["status"] for agent in what}
        elif step == "live":
            self.live[client] = what
        else:
            self.answers[client][step] = what
        self.news.set()

    def reports(self, client: str) -> list[Any]:
        """The ids of all reports, in the order in which they came."""
        return [report["id"] for update in self.updates[client] for report in update["reports"]]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when that is so."""
        async with patience():
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def until_all_have(self, count: int) -> None:
        """Return when every client has received that many reports."""
        await self.until(lambda: all(len(self.reports(each)) >= count for each in FOLLOWERS))


@asynccontextmanager
async def typescript(
    host: str, key: str, received: ReceivedMessages, program: str = "drive.ts"
) -> AsyncIterator[asyncio.StreamWriter]:
    """TypeScript clients, by default all, which ask when they are written to. At the end they
    cancel, and then nothing is left that keeps their process."""
    linked = "--preserve-symlinks"  # the package of this repository uses the React of the clients
    async with _running("node", linked, program, host, key=key, stdin=PIPE) as process:
        assert process.stdin
        reading = asyncio.create_task(_read(process, lambda line: received.note(*line)))
        yield process.stdin
        process.stdin.close()
        async with patience():
            complaints = await reading
            assert (await process.wait(), complaints) == (0, b""), complaints.decode()


@asynccontextmanager
async def curl(host: str, key: str, received: ReceivedMessages) -> AsyncIterator[None]:
    """The loop of a shell."""

    def note(line: Any) -> None:
        received.note("curl", "update", line["data"]["agentHistory"])

    async with _running("/bin/sh", "follow.sh", host, key=key) as process:
        reading = asyncio.create_task(_read(process, note))
        yield
        os.killpg(process.pid, signal.SIGTERM)
        assert await reading == b""


@asynccontextmanager
async def python(host: str, key: str, received: ReceivedMessages) -> AsyncIterator[None]:
    """The loop in Python."""

    async def note() -> None:
        async for update in follow(host, key):
            received.note("gql", "update", update)

    task = asyncio.create_task(note())
    yield
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@asynccontextmanager
async def _running(
    program: str, *arguments: str, key: str, stdin: int = DEVNULL
) -> AsyncIterator[Process]:
    """A process in its own process group, which is ended as a whole."""
    process = await asyncio.create_subprocess_exec(
        BINARIES / program,  # what is absolute stays as it is
        *arguments,
        cwd=FOLDER,
        env={**os.environ, "DREAMNET_KEY": key},
        stdin=stdin,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _read(process: Process, note: Callable[[Any], None]) -> bytes:
    """Record each line; return the output to standard error."""
    assert process.stdout
    assert process.stderr
    complaints = asyncio.create_task(process.stderr.read())
    async for line in process.stdout:
        note(orjson.loads(line))
    return await complaints
