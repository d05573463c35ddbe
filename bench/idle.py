"""Idle: transactions per second of a gateway whose subscribers wait, while nothing happens.

It starts a PostgreSQL and a gateway in production, subscribes to each feed some times per worker,
and counts what the database commits: `PYTHONPATH=bench python bench/idle.py --workers 1 4`.
`--pooled` puts a PgBouncer in transaction mode between them, `--direct` gives the gateway the URL
past it.
"""

import argparse
import asyncio
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2

from db.core.connections.url import connection_info
from db.core.embedded.os_account import identity, make_reachable
from db.core.schema import migrate
from versus.database import Postgres, prepare
from versus.running import Running, running
from versus.servers import OURS, SERVERS

FEEDS = (
    "subscription { agentStatus { kind } }",
    "subscription { events { kind } }",
    "subscription { metrics { kind } }",
    "subscription { dreams { kind } }",
)
PER_WORKER = 8  # subscribers of each feed, so that each worker has some
SETTLE_SECONDS = 5
COMMITTED = "select pg_stat_force_next_flush(); select sum(xact_commit) from pg_stat_database"


@contextmanager
def subscribed(server: Running, document: str) -> Iterator[None]:
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {server.keys[0]}"}
    with (
        httpx2.Client(timeout=60) as client,
        client.stream("POST", server.url, json={"query": document}, headers=headers) as response,
    ):
        if response.status_code != 200:
            raise SystemExit(response.read().decode())
        threading.Thread(target=_drain, args=[response], daemon=True).start()
        yield


def _drain(response: httpx2.Response) -> None:
    try:
        for _ in response.iter_raw():
            pass
    except httpx2.HTTPError:
        pass  # it was closed


@contextmanager
def pooler(postgres: Postgres) -> Iterator[str]:
    """The URL of the database behind a PgBouncer in transaction mode."""
    info, program = connection_info(postgres.url), shutil.which("pgbouncer")
    if program is None:
        raise SystemExit("pgbouncer is not on the path: `make pgbouncer` installs it")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (server,) = info.hosts
    file = postgres.folder / "pgbouncer.ini"
    file.write_text(
        f"[databases]\n{info.dbname} = host={server.name} port={server.port} user={info.user}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        "auth_type = any\npool_mode = transaction\n"
    )
    make_reachable(file)
    process = subprocess.Popen([program, "-q", str(file)], cwd="/", **identity())  # noqa: S603  no input of others
    try:
        yield f"postgresql://{info.user}@127.0.0.1:{port}/{info.dbname}"
    finally:
        process.kill()
        process.wait()


def measure(postgres: Postgres, workers: int, settings: Mapping[str, str], seconds: float) -> float:
    own = {"DREAMNET_WORKERS": str(workers), "DREAMNET_MAX_STREAMS_PER_CALLER": "1000"}
    with (
        running(SERVERS[OURS], postgres, None, {**own, **settings}) as server,
        ExitStack() as kept,
    ):
        for document in FEEDS * PER_WORKER * workers:
            kept.enter_context(subscribed(server, document))
        time.sleep(SETTLE_SECONDS)
        before, began = committed(postgres), time.monotonic()
        time.sleep(seconds)
        return (committed(postgres) - before) / (time.monotonic() - began)


def committed(postgres: Postgres) -> int:
    return int(postgres.rows(COMMITTED, user="postgres")[-1])


def main(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder, Postgres(Path(folder), None) as postgres:
        asyncio.run(migrate.upgrade(postgres.url))
        postgres.keys = asyncio.run(prepare(postgres.url))
        with ExitStack() as stack:
            settings = {}
            if options.direct:
                settings["DREAMNET_DIRECT_URL"] = postgres.url
            if options.pooled:
                settings["DATABASE_URL"] = stack.enter_context(pooler(postgres))
            for workers in options.workers:
                found = measure(postgres, workers, settings, options.seconds)
                print(f"{workers:2} workers {found:6.1f} transactions/s")  # noqa: T201  its purpose


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pooled", action="store_true")
    parser.add_argument("--direct", action="store_true")
    main(parser.parse_args())
