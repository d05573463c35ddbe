"""Connecting to a real server: hosts, TLS and other parameters of a URL."""

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from traceback import format_exception
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import text

from db import Database
from db.core.connections.connect import connect
from db.core.connections.url import connection_info
from db.core.embedded import Embedded
from db.core.errors import Unavailable
from support.postgres_proxies import Authority, proxy


@pytest.fixture
async def port(database_url: str) -> AsyncIterator[int]:
    """The port where this test's server is reached without TLS."""
    async with proxy(database_url) as port:
        yield port


@pytest.fixture
def name(database_url: str) -> str:
    """The name of this test's database."""
    return connection_info(database_url).dbname


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


async def ask(url: str, statement: str = "select 1") -> Any:
    """The answer of the database of a URL, to a gateway's own way of asking."""
    database = Database(url)
    try:
        async with database.read() as session:
            return await session.scalar(text(statement))
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("parameters", "statement", "answer"),
    [
        ("", "show application_name", "dreamnet"),
        ("application_name=blue", "show application_name", "blue"),
        ("fallback_application_name=green", "show application_name", "green"),
        ("options=-csearch_path%3Dinner%20-cwork_mem%3D1MB", "show search_path", "inner"),
        ("options=-csearch_path%3Dinner%20-cwork_mem%3D1MB", "show work_mem", "1MB"),
        ("target_session_attrs=read-write", "select 1", 1),
        ("target_session_attrs=primary&load_balance_hosts=random", "select 1", 1),
        ("target_session_attrs=prefer-standby", "select 1", 1),
        ("sslmode=prefer&channel_binding=prefer", "show client_encoding", "UTF8"),
        ("client_encoding=UTF8&gssencmode=disable&sslcompression=0&krbsrvname=x", "select 1", 1),
        ("connect_timeout=3", "select 1", 1),
        ("connect_timeout=0&passfile=/nowhere", "select 1", 1),
    ],
)
async def test_a_parameter_works_as_in_libpq(
    database_url: str, parameters: str, statement: str, answer: Any
) -> None:
    assert await ask(f"{database_url}&{parameters}", statement) == answer


async def test_connections_are_kept_alive(port: int, name: str) -> None:
    parameters = "keepalives_idle=77&keepalives_interval=7&keepalives_count=3&tcp_user_timeout=7000"
    info = connection_info(f"postgresql://postgres@127.0.0.1:{port}/{name}?{parameters}")
    connection = await connect(info)
    own = connection._transport.get_extra_info("socket")
    options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
    kept = [own.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) for option in options]
    assert own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert kept == [77, 7, 3, 7000]
    await connection.close()

    connection = await connect(info.set(keepalives="0"))
    own = connection._transport.get_extra_info("socket")
    assert not own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    await connection.close()


# Several hosts.


async def test_the_next_host_is_tried(port: int, name: str) -> None:
    url = f"postgresql://postgres@127.0.0.1:1,nowhere.invalid:2,127.0.0.1:{port}/{name}"
    assert await ask(url) == 1


async def test_a_host_that_does_not_answer_does_not_use_up_the_time(port: int, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hosts = f"127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{port}"
        assert await ask(f"postgresql://postgres@{hosts}/{name}?connect_timeout=1") == 1


async def test_a_server_of_another_kind_is_not_there(port: int, name: str) -> None:
    url = f"postgresql://postgres@127.0.0.1:{port}/{name}?target_session_attrs="
    for kind in ("standby", "read-only"):
        with pytest.raises(Unavailable) as unavailable:
            await ask(f"{url}{kind}")
        assert str(unavailable.value.__cause__) == f"no server is {kind}"


# TLS.


async def test_tls_as_the_url_asks_for_it(
    database_url: str, name: str, authority: Authority
) -> None:
    async with proxy(database_url, authority.context()) as port:
        url = f"postgresql://postgres@localhost:{port}/{name}"
        root = quote(str(authority.root))
        for mode in ("prefer", "require", f"verify-ca&sslrootcert={root}"):
            assert await ask(f"{url}?sslmode={mode}") == 1
        assert await ask(f"{url}?sslmode=verify-full&sslrootcert={root}") == 1
        assert await ask(f"{url}?ssl=true&ssl_min_protocol_version=TLSv1.3") == 1
        for mode in ("disable", "verify-full&sslrootcert=system"):
            with pytest.raises(Unavailable):
                await ask(f"{url}?sslmode={mode}")


async def test_tls_with_a_certificate_of_the_client(
    database_url: str, name: str, authority: Authority
) -> None:
    certificate, key = authority.issue("client", password="locked")  # noqa: S106  of this test
    given = {
        "sslmode": "verify-full",
        "sslrootcert": authority.root,
        "sslcert": certificate,
        "sslkey": key,
        "sslpassword": "locked",
    }
    context = authority.context(asks_for_certificates=True)
    async with proxy(database_url, context) as port:
        url = f"postgresql://postgres@localhost:{port}/{name}"
        assert await ask(f"{url}?{urlencode(given)}") == 1
        with pytest.raises(Unavailable):
            await ask(f"{url}?sslmode=require")


async def test_a_server_without_tls_is_refused_where_it_is_required(port: int, name: str) -> None:
    with pytest.raises(Unavailable):
        await ask(f"postgresql://postgres@127.0.0.1:{port}/{name}?sslmode=require")


async def test_a_certificate_that_went_away_is_no_fault_of_ours(
    port: int, name: str, authority: Authority
) -> None:
    root = authority.root
    url = f"postgresql://postgres@127.0.0.1:{port}/{name}?sslmode=verify-ca&sslrootcert={root}"
    database = Database(url)
    root.unlink()
    with pytest.raises(Unavailable):
        async with database.read() as session:
            await session.scalar(text("select 1"))
    await database.close()


# Passwords.


class Guarded:
    """A server that asks the user ada for a password."""

    def __init__(self, embedded: Embedded, url: str) -> None:
        self.server = embedded.server
        self.query = url.partition("?")[2]
        rules = embedded.server.data / "pg_hba.conf"
        rules.write_text(f"local all ada scram-sha-256\n{rules.read_text()}")
        self.server.query("select pg_reload_conf(); create role ada login;")

    def url(self, password: str, written: str | None = None) -> str:
        """A URL with a password, which is ada's from now on unless another is written there."""
        self.server.query(f"alter role ada password '{password}'")
        return f"postgresql://ada:{written or password}@/dreamnet?{self.query}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    embedded = Embedded(tmp_path_factory.mktemp("guarded"), {"fsync": "off"})
    with embedded as url:
        yield Guarded(embedded, url)


@pytest.mark.parametrize("password", ["p/w", "p#w", "p?w", "p@w", "p:w", "p%w", "p&w=1", "pä w"])
async def test_a_password_of_any_characters_is_the_one_sent(
    guarded: Guarded, password: str
) -> None:
    assert await ask(guarded.url(password)) == 1
    assert await ask(guarded.url(password, quote(password, safe=""))) == 1


async def test_a_password_comes_from_a_file(guarded: Guarded, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("localhost:5432:dreamnet:ada:from a file\n")
    passwords.chmod(0o600)
    url = guarded.url("from a file").replace(":from a file@", "@")
    assert await ask(f"{url}&passfile={passwords}") == 1


async def test_a_wrong_password_is_not_printed(guarded: Guarded) -> None:
    wrong = "Xq"
    wrong += "7"  # so that it stands in no line of a traceback
    with pytest.raises(Unavailable) as refused:
        await ask(guarded.url("right", wrong))
    received = "".join(format_exception(refused.value))
    assert "password authentication failed" in received
    assert wrong not in received
