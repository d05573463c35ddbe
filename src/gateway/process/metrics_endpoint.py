"""Metrics endpoint: `/metrics` on a port of its own, for all workers of this gateway.

A thread answers with what processes have written to the files of a folder. So a busy event loop
delays no answer, and no client of the API can reach it.
"""

import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from multiprocessing import active_children
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog

from gateway.process.listener import cannot_listen
from gateway.settings import Settings

if TYPE_CHECKING:
    from prometheus_client import Metric

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the library reads it when it is imported
PATH = "/metrics"
CLIENT_SECONDS = 10  # for a client to send its request

log = structlog.get_logger()


@contextmanager
def metrics_endpoint(settings: Settings) -> Iterator[None]:
    """Serve the metrics within the context, if there is a port for them. Workers that are started
    within it write to the same folder. Raises CommandFailed."""
    if settings.metrics_port is None:
        yield
        return
    with TemporaryDirectory(prefix="dreamnet-metrics-") as folder:
        os.environ[FOLDER] = folder
        with _server(settings.metrics_host, settings.metrics_port, Path(folder)) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            log.info("metrics are served", host=settings.metrics_host, port=settings.metrics_port)
            try:
                yield
            finally:
                server.shutdown()


def _server(host: str, port: int, folder: Path) -> ThreadingHTTPServer:
    from prometheus_client import CollectorRegistry, MetricsHandler
    from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

    class Collector(MultiProcessCollector):
        """The metrics of all processes, without the levels of those that ended."""

        def collect(self) -> "Iterable[Metric]":
            for pid in _pids(folder) - {os.getpid(), *(each.pid for each in active_children())}:
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]  # has no types
            metrics: Iterable[Metric] = super().collect()  # type: ignore[no-untyped-call]  # as above
            return metrics

    class Handler(MetricsHandler):
        registry = CollectorRegistry()
        timeout = CLIENT_SECONDS

        def do_GET(self) -> None:  # noqa: N802  the name of the standard library
            if urlsplit(self.path).path == PATH:
                super().do_GET()
            else:
                self.send_error(404)

    Collector(Handler.registry, str(folder))  # type: ignore[no-untyped-call]  # registers itself

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        return Server((host, port), Handler)
    except OSError as error:
        raise cannot_listen(host, port, "DREAMNET_METRICS_PORT", error) from error


def _pids(folder: Path) -> set[int]:
    """Those of processes with levels."""
    return {int(path.stem.rpartition("_")[2]) for path in folder.glob("gauge_live*_*.db")}
