"""Connect: connections of the driver by libpq's rules, and engines that use them."""

import random
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from functools import partial
from urllib.parse import urlencode

import asyncpg
from asyncpg.exceptions import (
    CannotConnectNowError,
    ClientConfigurationError,
    ProtocolViolationError,
    TargetServerAttributeNotMatched,
)
from sqlalchemy import event
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler

from db.core.cache import Cache, size_of
from db.core.connections.meter import METERED, Metered
from db.core.connections.pool import OPENED
from db.core.connections.pooler import DriverConnection, Pooler
from db.core.connections.unnamed import (
    UNNAMED,
    PreparedStatements,
    UnnamedStatements,
    statement_name,
)
from db.core.connections.url import ConnectionInfo, Host

APPLICATION = "dreamnet"  # the default `application_name`
TLS = (
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)
NO_SETTINGS: Mapping[str, str] = {}
# Many statements run at once, so helpers of one take the processors from others; and an aggregate
# of many groups takes longer with them, because each process sends its own groups. Decision 48.
OWN: Mapping[str, str] = {"max_parallel_workers_per_gather": "0"}
# Size of the cache of compiled statements per engine. One takes a multiple of its text.
COMPILED_BYTES, COMPILED_FACTOR, COMPILED_FIXED = 64 * 1024 * 1024, 100, 64 * 1024
SENT = ("application_name", "options")  # to the server, at the start of a session

# The server is down, starting, or of another kind than requested: try the next one.
_NEXT = (OSError, TimeoutError, CannotConnectNowError, TargetServerAttributeNotMatched)


def engine(
    info: ConnectionInfo,
    command_timeout: float | None = None,
    lock_timeout: float | None = None,
    one_plan: bool = False,
    **more: object,
) -> AsyncEngine:
    """An engine; `more` are arguments of SQLAlchemy. Timeouts are in seconds. With `one_plan`,
    PostgreSQL plans each statement once per connection. A statement takes one process of the
    server. Behind a pooler there is nothing of that, and no lock timeout: settings would be
    refused, or apply to other clients."""
    own = dict(OWN)
    if lock_timeout is not None:
        own["lock_timeout"] = f"{round(lock_timeout * 1000)}ms"
    if one_plan:
        own["plan_cache_mode"] = "force_generic_plan"
    if info.pooler != Pooler.NONE:
        own = {}
    creator = partial(connect, info, own, command_timeout=command_timeout)
    arguments = {"async_creator_fn": creator, **_dialect_arguments(info.pooler)}
    opened = create_async_engine(
        "postgresql+asyncpg://",
        connect_args=arguments,
        hide_parameters=True,
        execution_options={"compiled_cache": Cache(COMPILED_BYTES, compiled_size)},
        **more,
    )
    event.listen(opened.sync_engine, "handle_error", _drop_stale)
    event.listen(opened.sync_engine, "connect", _bound)
    return opened


def compiled_size(compiled: SQLCompiler) -> int:
    """The compiled text, and the values that it was compiled with."""
    bound = size_of(bind.value for bind in compiled.binds.values())
    return COMPILED_FIXED + COMPILED_FACTOR * len(str(compiled)) + bound


def _bound(connection: AsyncAdapt_asyncpg_connection, record: ConnectionPoolEntry) -> None:
    """Limit the cache of prepared statements by bytes, and meter results: filters of callers make
    both arbitrarily large. Note the time for the pool."""
    connection._prepared_statement_cache = PreparedStatements()  # type: ignore[assignment]  # works alike
    record.info[OPENED] = time.monotonic()
    record.info[METERED] = Metered(connection.driver_connection)
    record.info[UNNAMED] = UnnamedStatements(connection.driver_connection)


def _drop_stale(context: ExceptionContext) -> None:
    """Close a connection with stale column types: a statement sent as text is executed even after
    its columns have changed, and then its rows cannot be decoded."""
    if isinstance(context.original_exception, BufferError):
        context.is_disconnect = True


def _dialect_arguments(pooler: Pooler) -> dict[str, object]:
    """Unnamed statements behind a pooler. The dialect still caches their types, so an execution is
    one round trip with the text."""
    return {"prepared_statement_name_func": statement_name if pooler.names_statements else str}


async def connect(
    info: ConnectionInfo, own: Mapping[str, str] = NO_SETTINGS, **more: object
) -> DriverConnection:
    """Connect to the first server that is up and of the requested kind; `own` are settings of the
    session.

    Raises OSError if there is none, PostgresError if a server refuses.
    """
    failure: Exception = ConnectionError("there is no host")
    for host, kind in _attempts(info):
        try:
            return await _connected(info, own, host, kind, **more)
        except ClientConfigurationError as error:  # such as a missing certificate
            raise ConnectionError(str(error)) from error
        except _NEXT as error:
            failure = error
    if isinstance(failure, TargetServerAttributeNotMatched):
        kind = info.parameters["target_session_attrs"]
        raise ConnectionError(f"no server is {kind}") from failure
    raise failure


def _attempts(info: ConnectionInfo) -> Iterator[tuple[Host, str]]:
    hosts = list(info.hosts)
    if info.parameters.get("load_balance_hosts") == "random":
        random.shuffle(hosts)
    wanted = info.parameters.get("target_session_attrs", "any")
    for kind in ("standby", "any") if wanted == "prefer-standby" else (wanted,):
        yield from ((host, kind) for host in hosts)


async def _connected(
    info: ConnectionInfo, own: Mapping[str, str], host: Host, kind: str, **more: object
) -> DriverConnection:
    try:
        connection = await _opened(info, own, host, kind, **more)
    except ProtocolViolationError:  # PgBouncer refuses settings, even if not configured as a pooler
        if not own:
            raise
        connection = await _opened(info, NO_SETTINGS, host, kind, **more)
    if not host.is_socket:
        _watch(connection, info)
    return connection


async def _opened(
    info: ConnectionInfo, own: Mapping[str, str], host: Host, kind: str, **more: object
) -> DriverConnection:
    return await asyncpg.connect(
        host=host.name,
        port=host.port,
        user=info.user,
        password=info.parameters.get("password"),
        passfile=info.parameters.get("passfile"),
        database=info.dbname,
        timeout=info.connect_seconds,
        server_settings={**_server_settings(info), **own},
        target_session_attrs=kind,
        krbsrvname=info.parameters.get("krbsrvname"),
        gsslib="gssapi",
        **_tls(info, host),
        **({} if info.pooler.names_statements else {"statement_cache_size": 0}),
        **more,
    )


def _server_settings(info: ConnectionInfo) -> dict[str, str]:
    fallback = info.parameters.get("fallback_application_name", APPLICATION)
    sent = {name: info.parameters[name] for name in SENT if name in info.parameters}
    return {"application_name": fallback, **sent}


# TLS


def _tls(info: ConnectionInfo, host: Host) -> dict[str, object]:
    if host.is_socket:
        return {"ssl": "disable", "direct_tls": False}
    given = {name: info.parameters[name] for name in TLS if name in info.parameters}
    directly = info.parameters.get("sslnegotiation") == "direct"
    if given.get("sslrootcert") == "system":
        return {"ssl": _system_context(given), "direct_tls": directly}
    url = f"postgresql:///?{urlencode({'sslmode': 'prefer', **given})}"
    return {"dsn": url, "direct_tls": directly}


def _system_context(given: dict[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if "sslcert" in given:
        password = given.get("sslpassword", "")
        context.load_cert_chain(given["sslcert"], given.get("sslkey"), lambda: password)
    context.set_alpn_protocols(["postgresql"])
    return context


# Keepalive: detect servers that vanish without closing the connection

_OPTIONS = {
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
}


def _watch(connection: DriverConnection, info: ConnectionInfo) -> None:
    own: socket.socket = connection._transport.get_extra_info("socket")  # there is no public API
    own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, info.parameters.get("keepalives") != "0")
    for name, option in _OPTIONS.items():
        value = int(info.parameters.get(name, 0))  # 0 is the system's default
        if value and hasattr(socket, option):
            own.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
