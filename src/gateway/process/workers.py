"""Workers: several processes that serve one socket, kept running by uvicorn's supervisor.

The parent prepares the database, opens the socket, and starts the workers. It replaces a worker
that died. On SIGHUP it replaces all of them, one after the other. A worker ends if its event loop
is stuck, and stops when its parent is gone.
"""

import ctypes
import multiprocessing as mp
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import RawValue
from typing import TYPE_CHECKING, cast

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

from db.core.connections.url import ConnectionInfo
from gateway import log_format
from gateway.auth.browser_session import BrowserSession
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.middleware import request_log
from gateway.process.startup_message import StartupMessage
from gateway.settings import Settings
from gateway.transport.host_counts import HostCounts

if TYPE_CHECKING:
    from gateway.process.server import Server

START_SECONDS = 60  # for a worker to import its modules, and then to serve
STUCK_SECONDS = 30  # without a turn of its event loop
LOOK_SECONDS = 1  # between two looks for a parent that is gone, or an event loop that is stuck
NOTICE_SECONDS = 0.1  # until a signal to exit is noticed while workers are replaced
EXIT = frozenset({signal.SIGINT, signal.SIGTERM})
STOP_SECONDS = 10  # for a worker to end after the time that its streams and requests have
DIVIDED = ("pool_size", "max_unidentified_sockets", "max_unidentified_sockets_per_network")
BUDGETS = (
    "budget_points_per_minute",
    "budget_points_per_minute_anonymous",
    "failed_sign_ins_per_minute",
)

log = structlog.get_logger()


def share(settings: Settings) -> Settings:
    """The settings of one worker, with its share of what a host has."""
    names = DIVIDED if settings.budget_storage else (*DIVIDED, *BUDGETS)
    totals = {name: getattr(settings, name) for name in names}
    shares = {name: total and max(1, total // settings.workers) for name, total in totals.items()}
    return settings.model_copy(update=shares)


class WorkerConfig(uvicorn.Config):
    """What each worker inherits from its parent."""

    def __init__(self, settings: Settings, url: ConnectionInfo, session: BrowserSession) -> None:
        super().__init__(
            "",
            workers=settings.workers,
            log_config=None,
            timeout_worker_healthcheck=START_SECONDS,
        )
        self.settings = share(settings)
        self.url = url
        self.session = session
        self.are_replaced = RawValue(ctypes.c_bool, False)


class Worker(multiprocess.Process):
    """One process that serves, as its parent sees it and as it sees itself."""

    config: WorkerConfig
    _server: "Server | None"

    def __init__(
        self, config: WorkerConfig, sockets: list[socket.socket], counts: HostCounts, index: int
    ) -> None:
        self.index = index
        self.column = counts.column(index)
        super().__init__(config, sockets)

    @property
    def server(self) -> "Server":
        """Only the worker builds it, when it serves."""
        from gateway.process import configuration  # builds the schema, which takes a second

        if self._server is None:
            config = self.config
            self._server = configuration.server(
                config.settings, config.url, config.session, host=self.column
            )
            self._server.is_replaced = config.are_replaced
        return self._server

    def target(self, sockets: list[socket.socket] | None = None) -> None:
        log_format.guard_process()
        request_log.configure(self.config.settings)
        threading.Thread(target=self._watch, daemon=True).start()
        super().target(sockets)

    def pong(self) -> None:
        """Answer a ping with whether this worker serves, also while it builds its server."""
        self.child_conn.recv()
        self.child_conn.send(self._server is not None and self._server.started)

    def _watch(self) -> None:
        parent = mp.parent_process()
        while True:
            time.sleep(LOOK_SECONDS)
            if self._is_stuck():
                log.critical("the event loop of a worker is stuck: it ends", pid=os.getpid())
                os.kill(os.getpid(), signal.SIGKILL)
            if self._server and not (parent and parent.is_alive()):
                self._server.leave()

    def _is_stuck(self) -> bool:
        server = self._server
        return bool(server and server.started and time.monotonic() - server.ticked > STUCK_SECONDS)


class Workers(multiprocess.Multiprocess):
    """The workers of one gateway, of which `leave` and `run` are as those of a server."""

    processes: list[Worker]  # type: ignore[assignment]  # of uvicorn's own kind, says uvicorn

    def __init__(
        self,
        settings: Settings,
        url: ConnectionInfo,
        session: BrowserSession,
        greeting: StartupMessage,
    ) -> None:
        super().__init__(WorkerConfig(settings, url, session), [])
        self.settings = settings
        self.greeting: StartupMessage | None = greeting
        self.counts = HostCounts(settings.workers + 1)  # one more while workers are replaced
        self.is_left = False

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `leave`, or until SIGINT or SIGTERM. Raises KeyboardInterrupt for these, as a
        server does, and CommandFailed if a worker cannot start."""
        self.sockets = sockets or []
        multiprocess.Process = self._worker  # type: ignore[misc,assignment]  # uvicorn has no parameter for it
        super().run()
        if any(each.exitcode == STARTUP_FAILURE for each in self.processes):
            raise CommandFailed("A worker cannot start.", ExitCode.PROBLEMS)
        if not self.is_left:
            raise KeyboardInterrupt

    def leave(self) -> None:
        self.is_left = True
        self.should_exit.set()

    def keep_subprocess_alive(self) -> None:
        before = list(self.processes)
        super().keep_subprocess_alive()
        for gone in set(before) - set(self.processes):
            log.error("a worker ended and is replaced", pid=gone.pid, exit_code=gone.exitcode)
        if self.greeting and all(each.is_ready(START_SECONDS) for each in self.processes):
            self.greeting.show(self.settings.log_as_json)
            self.greeting = None

    def restart_all(self) -> None:
        """Load balancers notice nothing: a worker that stops has a successor at the same port."""
        log.info("the workers are replaced")
        flag = cast("WorkerConfig", self.config).are_replaced
        flag.value = True
        with self._noticing_exit():
            super().restart_all()
        flag.value = False

    @contextmanager
    def _noticing_exit(self) -> Iterator[None]:
        """Within the context, stop all workers on SIGINT and SIGTERM. uvicorn looks at signals
        again only when it has replaced all of them."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(NOTICE_SECONDS):
                if not EXIT.isdisjoint(self.signal_queue):
                    self.should_exit.set()
                    self.terminate_all()
                    return

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        yield
        over.set()
        thread.join()

    def handle_ttin(self) -> None:
        log.warning("the number of workers is fixed: set DREAMNET_WORKERS and restart")

    handle_ttou = handle_ttin

    def join_all(self) -> None:
        """Wait for all workers; kill those that take too long."""
        settings = self.settings
        seconds = settings.drain + settings.spread + settings.shutdown_seconds + STOP_SECONDS
        until = time.monotonic() + seconds
        for each in self.processes:
            each.process.join(max(0, until - time.monotonic()))
            if each.process.is_alive():
                log.error("a worker did not stop and is killed", pid=each.pid)
                each.process.kill()
                each.process.join()

    def _worker(self, config: WorkerConfig, sockets: list[socket.socket]) -> Worker:
        used = {each.index for each in self.processes if each.process.is_alive()}
        return Worker(config, sockets, self.counts, self.counts.free(used))
