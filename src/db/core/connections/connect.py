"""Connect: connections of the driver by libpq's rules, and engines that use them."""

import random
import socket
import ssl
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

import asyncpg
from asyncpg.exceptions import (
    CannotConnectNowError,
    ClientConfigurationError,
    ProtocolViolationError,
    TargetServerAttributeNotMatched,
)
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from db.core.cache import Cache
from db.core.connections.meter import METERED, Metered
from db.core.connections.pooler import Pooler
from db.core.connections.url import ConnectionInfo, Host

APPLICATION = "dreamnet"  # what pg_stat_activity shows, unless `application_name` is given
TLS = (
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslcrl"),
    *("ssl_min_protocol_version", "ssl_max_protocol_version"),
)
NOTHING: Mapping[str, str] = {}
# Bytes of statements that an engine keeps compiled, and a connection prepared by their text. The
# former take up some multiple of their text.
COMPILED_BYTES, COMPILED_FACTOR, COMPILED_FIXED = 64 * 1024 * 1024, 100, 64 * 1024
PREPARED_BYTES = 512 * 1024
SENT = ("application_name", "options")  # to the server, when the connection begins

# A server that is not there, starts, or is of another kind than asked for: the next one is tried.
_NEXT = (OSError, TimeoutError, CannotConnectNowError, TargetServerAttributeNotMatched)


def engine(
    info: ConnectionInfo,
    command_timeout: float | None = None,
    lock_timeout: float | None = None,
    **more: Any,
) -> AsyncEngine:
    """An engine over such connections; `more` are arguments of SQLAlchemy. The timeouts are in
    seconds; that of locks is none behind a pooler, which refuses it or passes it on to others."""
    own: dict[str, str] = {}
    if lock_timeout is not None and info.pooler == Pooler.NONE:
        own["lock_timeout"] = f"{round(lock_timeout * 1000)}ms"
    creator = partial(connect, info, own, command_timeout=command_timeout)
    arguments = {"async_creator_fn": creator, **_dialect_arguments(info.pooler)}
    opened = create_async_engine(
        "postgresql+asyncpg://",
        connect_args=arguments,
        hide_parameters=True,
        execution_options={"compiled_cache": Cache(COMPILED_BYTES, _compiled_size)},
        **more,
    )
    event.listen(opened.sync_engine, "handle_error", _drop_stale)
    event.listen(opened.sync_engine, "connect", _bound)
    return opened


def _compiled_size(compiled: Any) -> int:
    return COMPILED_FIXED + COMPILED_FACTOR * len(str(compiled))


def _bound(connection: Any, record: Any) -> None:
    """Filters of callers make statements of any size, of which the dialect keeps a hundred, and
    results of any size."""
    connection._prepared_statement_cache = Cache(PREPARED_BYTES, _prepared_size)
    record.info[METERED] = Metered(connection.driver_connection)


def _prepared_size(kept: tuple[Any, ...]) -> int:
    return len(kept[0].get_query())


def _drop_stale(context: ExceptionContext) -> None:
    """A statement that is sent with its text is executed even after its columns have changed, and
    then its rows cannot be read: no connection is lent again that knows the columns before."""
    if isinstance(context.original_exception, BufferError):
        context.is_disconnect = True


def _dialect_arguments(pooler: Pooler) -> dict[str, Any]:
    """Without names, the dialect still keeps what it knows of a statement, so that each execution
    is one round trip: the driver sends the text along."""
    return {} if pooler.names_statements else {"prepared_statement_name_func": str}


async def connect(info: ConnectionInfo, own: Mapping[str, str] = NOTHING, **more: Any) -> Any:
    """A connection of the driver to the first server that is there and of the kind asked for; `own`
    are settings of its session.

    Raises OSError when there is none, PostgresError when a server refuses.
    """
    failure: Exception = ConnectionError("there is no host")
    for host, kind in _attempts(info):
        try:
            return await _connected(info, own, host, kind, **more)
        except ClientConfigurationError as error:  # such as a certificate that is gone
            raise ConnectionError(str(error)) from error
        except _NEXT as error:
            failure = error
    if isinstance(failure, TargetServerAttributeNotMatched):
        kind = info.parameters["target_session_attrs"]
        raise ConnectionError(f"no server is {kind}") from failure
    raise failure


def _attempts(info: ConnectionInfo) -> Iterator[tuple[Host, str]]:
    """Servers and the kind each must be of, in the order in which they are tried."""
    hosts = list(info.hosts)
    if info.parameters.get("load_balance_hosts") == "random":
        random.shuffle(hosts)
    wanted = info.parameters.get("target_session_attrs", "any")
    for kind in ("standby", "any") if wanted == "prefer-standby" else (wanted,):
        yield from ((host, kind) for host in hosts)


async def _connected(
    info: ConnectionInfo, own: Mapping[str, str], host: Host, kind: str, **more: Any
) -> Any:
    try:
        connection = await _opened(info, own, host, kind, **more)
    except ProtocolViolationError:  # PgBouncer refuses settings, whatever we were told of it
        if not own:
            raise
        connection = await _opened(info, NOTHING, host, kind, **more)
    if not host.is_socket:
        _watch(connection, info)
    return connection


async def _opened(
    info: ConnectionInfo, own: Mapping[str, str], host: Host, kind: str, **more: Any
) -> Any:
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


def _tls(info: ConnectionInfo, host: Host) -> dict[str, Any]:
    """The driver reads certificates and the rest from a URL, with the meanings of libpq."""
    if host.is_socket:
        return {"ssl": "disable", "direct_tls": False}
    given = {name: info.parameters[name] for name in TLS if name in info.parameters}
    directly = info.parameters.get("sslnegotiation") == "direct"
    if given.get("sslrootcert") == "system":
        return {"ssl": _system_context(given), "direct_tls": directly}
    url = f"postgresql:///?{urlencode({'sslmode': 'prefer', **given})}"
    return {"dsn": url, "direct_tls": directly}


def _system_context(given: dict[str, str]) -> ssl.SSLContext:
    """Trusts whom the operating system trusts, and checks the name of the server."""
    context = ssl.create_default_context()
    if "sslcert" in given:
        password = given.get("sslpassword", "")
        context.load_cert_chain(given["sslcert"], given.get("sslkey"), lambda: password)
    context.set_alpn_protocols(["postgresql"])
    return context


# Servers that went away without a word

_OPTIONS = {
    "tcp_user_timeout": "TCP_USER_TIMEOUT",
    "keepalives_idle": "TCP_KEEPIDLE",
    "keepalives_interval": "TCP_KEEPINTVL",
    "keepalives_count": "TCP_KEEPCNT",
}


def _watch(connection: Any, info: ConnectionInfo) -> None:
    """Sets the options of the socket as libpq does; those that a system does not have are left."""
    own: socket.socket = connection._transport.get_extra_info("socket")  # there is no other way
    own.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, info.parameters.get("keepalives") != "0")
    for name, option in _OPTIONS.items():
        value = int(info.parameters.get(name, 0))  # 0 is what the system has
        if value and hasattr(socket, option):
            own.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
