"""URLs of databases: understood as libpq understands them, or refused without a secret."""

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from db.core.connections.libpq_parameters import PARAMETERS, VARIABLES, InvalidParameter
from db.core.connections.pooler import Pooler
from db.core.connections.url import DEFAULT_HOSTS, ConnectionInfo, connection_info

LOST = "Xq7"  # in every password below, before or after the character in question


@pytest.mark.parametrize("character", "/?#@:%&=+ \\[],;'\"ü\n")
@pytest.mark.parametrize("beside", ["Pw", "5432"])
def test_a_password_may_hold_any_character(character: str, beside: str) -> None:
    password = f"{beside}{character}{LOST}"
    for written in (password, quote(password, safe="")):
        info = connection_info(f"postgresql://ada:{written}@db.example:5433/d?sslmode=require")
        assert info.parameters["password"] == password
        assert (info.user, info.dbname, str(info)) == ("ada", "d", "at db.example:5433/d")
        assert info.parameters["sslmode"] == "require"


@pytest.mark.parametrize(
    ("url", "place", "more"),
    [
        ("postgresql://u@h/d", "at h:5432/d", {}),
        ("postgres://u@h/d", "at h:5432/d", {}),
        (" postgresql://u@h/d\n", "at h:5432/d", {}),
        ("postgresql+asyncpg://u@h/d", "at h:5432/d", {}),
        ("postgresql://u@h", "at h:5432/u", {}),
        ("postgresql://u@h/d?dbname=e", "at h:5432/e", {}),
        ("postgresql://h/d?user=me@server", "at h:5432/d", {"user": "me@server"}),
        ("postgresql://me@server:pw@h/d", "at h:5432/d", {"user": "me@server"}),
        (
            "postgresql://u:pw@h/d?application_name=me@x",
            "at h:5432/d",
            {"application_name": "me@x"},
        ),
        ("postgresql://[::1]:5433/d", "at [::1]:5433/d", {}),
        ("postgresql://a:1,b,[::1]:3/d", "at a:1,b:5432,[::1]:3/d", {}),
        ("postgresql://a,b/d?port=7", "at a:7,b:7/d", {}),
        ("postgresql://u@/d?host=a,b&port=1,2", "at a:1,b:2/d", {}),
        ("postgresql://u@/d?host=a:1&host=b:2", "at a:1,b:2/d", {}),
        ("postgresql:///d?hostaddr=10.0.0.1,::1", "at 10.0.0.1:5432,[::1]:5432/d", {}),
        ("postgresql://u@/d?host=/run/pg", "d on this machine", {"host": "/run/pg"}),
        ("postgresql://%2Frun%2Fpg:77/d", "d on this machine", {"host": "/run/pg", "port": "77"}),
        ("postgresql:///d", "d on this machine", {}),
        ("postgresql://h/d?ssl=true", "at h:5432/d", {"sslmode": "require"}),
        (
            "postgresql://h/d?options=-csearch_path%3Dx",
            "at h:5432/d",
            {"options": "-csearch_path=x"},
        ),
        ("postgresql://h/d?application_name=&", "at h:5432/d", {}),
        ("postgresql://h/d?sslmode=disable&sslmode=require", "at h:5432/d", {"sslmode": "require"}),
    ],
)
def test_a_url_of_libpq_is_understood(url: str, place: str, more: dict[str, str]) -> None:
    info = connection_info(url)
    assert str(info) == place
    assert more.items() <= info.parameters.items()


def test_without_a_host_the_usual_sockets_are_tried() -> None:
    assert [host.name for host in connection_info("postgresql:///d").hosts] == [*DEFAULT_HOSTS]


UNREADABLE = "it is not a PostgreSQL URL; write postgresql://user:password@host:port/database"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://u:Xq7@h/d", "must start with postgresql://"),
        ("host=h password=Xq7", "must start with postgresql://"),
        ("postgresql://u:Xq7/d", UNREADABLE),
        ("postgresql://u:p?Xq7=1@h/d?sslmode", UNREADABLE),
        ("postgresql://u:5432?Xq7=1@h/d?x=@", UNREADABLE),
        ("postgresql://u:Xq7%00@h/d", UNREADABLE),
        ("postgresql://h/d?sslmode", UNREADABLE),
        ("postgresql://u:Xq7@h:port/d", "port must be a number from 1 to 65535"),
        ("postgresql://u:Xq7@h:0/d", "port must be a number from 1 to 65535"),
        ("postgresql://u:Xq7@h:99999999999/d", "port must be a number from 1 to 65535"),
        ("postgresql://u:Xq7@a,b,c/d?port=1,2", "there are 3 hosts and 2 ports"),
        ("postgresql://h/d?host=u,Xq7@h/d", "host must be a name, an IP address or the folder"),
        ("postgresql://h/?dbname=postgresql://u:Xq7@h/d", "dbname must be the name of a database"),
        ("postgresql://u:Xq7@h/d?hostaddr=10.0.0.1", "hostaddr is not supported beside host"),
        ("postgresql://u:Xq7@h/d?schema=x", "it has an unknown parameter schema"),
        ("postgresql://u:Xq7@h/d?sslmode=no-verify", "sslmode must be one of disable, allow, "),
        ("postgresql://h/d?ssl=Xq7", "sslmode must be one of disable, allow, "),
        ("postgresql://h/d?sslrootcert=/Xq7", "sslrootcert names a file that cannot be read"),
        ("postgresql://h/d?sslrootcert=system&sslmode=require", "sslrootcert=system needs sslmode"),
        ("postgresql://h/d?connect_timeout=Xq7", "connect_timeout must be a whole number"),
        ("postgresql://h/d?keepalives=yes", "keepalives must be one of 0, 1"),
        ("postgresql://h/d?require_auth=Xq7", "require_auth is not supported"),
        ("postgresql://h/d?gssencmode=require", "gssencmode must be one of disable, prefer"),
        ("postgresql://h/d?sslsni=0", "sslsni must be 1"),
        ("postgresql://h/d?statement_cache_size=100", "statement_cache_size must be 0"),
    ],
)
def test_an_unknown_parameter_is_refused_in_one_sentence(url: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=re.escape(message)) as refused:
        connection_info(url)
    assert LOST not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_text_of_a_connection_shows_its_password() -> None:
    info = connection_info("postgresql://u:Xq7@h/d?sslpassword=Xq7")
    assert LOST not in f"{info} {info!r} {info.hosts} {info.set(user='v')!r}"


@pytest.mark.parametrize(
    "parameter", ["pgbouncer=true", "statement_cache_size=0", "prepared_statement_cache_size=0"]
)
def test_a_url_can_name_a_pooler(parameter: str) -> None:
    assert connection_info(f"postgresql://h/d?{parameter}").pooler == Pooler.TRANSACTION
    assert connection_info("postgresql://h/d?pgbouncer=false").pooler == Pooler.NONE


# Variables and service files.

# PostgreSQL 18, 32.15, but for PGSYSCONFDIR and PGLOCALEDIR, which are about libpq itself, and
# PGDATESTYLE, PGTZ and PGGEQO, which are about how a session prints and plans.
MANUAL = """
    PGHOST PGHOSTADDR PGPORT PGDATABASE PGUSER PGPASSWORD PGPASSFILE PGREQUIREAUTH PGCHANNELBINDING
    PGSERVICE PGSERVICEFILE PGOPTIONS PGAPPNAME PGSSLMODE PGSSLNEGOTIATION PGSSLCOMPRESSION
    PGSSLCERT PGSSLKEY PGSSLCERTMODE PGSSLROOTCERT PGSSLCRL PGSSLCRLDIR PGSSLSNI PGREQUIREPEER
    PGSSLMINPROTOCOLVERSION PGSSLMAXPROTOCOLVERSION PGGSSENCMODE PGKRBSRVNAME PGGSSLIB
    PGGSSDELEGATION PGCONNECT_TIMEOUT PGCLIENTENCODING PGTARGETSESSIONATTRS PGLOADBALANCEHOSTS
    PGMINPROTOCOLVERSION PGMAXPROTOCOLVERSION
"""


# PostgreSQL 18, 32.1.2.
KEYWORDS = """
    host hostaddr port dbname user password passfile require_auth channel_binding connect_timeout
    client_encoding options application_name fallback_application_name keepalives keepalives_idle
    keepalives_interval keepalives_count tcp_user_timeout replication gssencmode sslmode
    sslnegotiation sslcompression sslcert sslkey sslkeylogfile sslpassword sslcertmode sslrootcert
    sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version ssl_max_protocol_version
    min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation scram_client_key
    scram_server_key service target_session_attrs load_balance_hosts oauth_issuer oauth_client_id
    oauth_client_secret oauth_scope
"""


def test_every_variable_of_libpq_has_its_parameter() -> None:
    assert set(VARIABLES.values()) == set(MANUAL.split())


def test_every_parameter_of_libpq_has_an_answer() -> None:
    assert set(KEYWORDS.split()) <= set(PARAMETERS)


def test_variables_complete_the_url() -> None:
    variables = {"host": "other", "password": "Xq7", "sslmode": "require", "port": "6432"}
    info = connection_info("postgresql://ada@h/d", variables)
    assert (str(info), info.user) == ("at h:6432/d", "ada")
    assert (info.parameters["password"], info.parameters["sslmode"]) == ("Xq7", "require")


def test_variables_alone_are_enough() -> None:
    variables = {"host": "a,b", "port": "1,2", "user": "ada", "dbname": "d", "password": "Xq7"}
    info = connection_info(None, variables)
    assert (str(info), info.user) == ("at a:1,b:2/d", "ada")


def test_a_variable_that_is_not_understood_is_named() -> None:
    with pytest.raises(InvalidParameter, match="PGSSLMODE must be one of disable"):
        connection_info("postgresql://h/d", {"sslmode": "Xq7"})


@pytest.fixture
def services(tmp_path: Path) -> Path:
    file = tmp_path / "services.conf"
    file.write_text(
        "# ours\n[main]\nhost=db.example\nport=6000\ndbname=d\npassword=X%q7\n\n"
        "[odd]\nhost=h\nshape=Xq7\n"
    )
    return file


def test_a_service_is_looked_up(services: Path) -> None:
    variables = {"servicefile": str(services), "host": "other", "user": "ada"}
    info = connection_info("postgresql://:7000?service=main", variables)
    assert (str(info), info.user) == ("at db.example:7000/d", "ada")
    assert info.parameters["password"] == "X%q7"  # noqa: S105  of a service made for this test


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "service is not in any service file"),
        ("odd", "service has a parameter that is unknown"),
    ],
)
def test_a_service_that_is_not_understood(services: Path, name: str, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message) as refused:
        connection_info(None, {"servicefile": str(services), "service": name})
    assert LOST not in str(refused.value)


def test_a_connection_is_understood_once() -> None:
    info = connection_info("postgresql://h/d")
    assert isinstance(info, ConnectionInfo)
    assert connection_info(info) is info
