"""Url: how to reach a PostgreSQL, from a libpq URL, a service file and libpq's variables.

What the URL says goes before the service file, and that before the variables, as in libpq. The
text of a `ConnectionInfo` is the place of the database; nothing prints its password.
"""

import getpass
import re
from collections.abc import Iterator, Mapping
from configparser import ConfigParser, Error as NotConfiguration
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from db.core.connections.libpq_parameters import PARAMETERS, VARIABLES, InvalidParameter, checked
from db.core.connections.pooler import Pooler

SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
DEFAULT_PORT = 5432
CONNECT_SECONDS = 5  # to each host, unless `connect_timeout` says otherwise

# Where PostgreSQL listens when no host is given: the sockets of Debian and of its own sources.
DEFAULT_HOSTS = ("/run/postgresql", "/tmp", "localhost")  # noqa: S108  where PostgreSQL puts it

# As RFC 3986 has it; `/ ? # @` inside a password are percent-encoded.
_STRICT = re.compile(
    r"(?:(?P<user>[^:/?#@]*)(?::(?P<password>[^/?#@]*))?@)?"
    r"(?P<hosts>(?:\[[^\]/?#@]*\]|[^\[\]:/?#@,]*)(?::\d*)?(?:,(?:\[[^\]/?#@]*\]|[^\[\]:/?#@,]*)(?::\d*)?)*)"
    r"(?:/(?P<dbname>[^/?#@]*))?"
    r"(?:\?(?P<query>(?:\w+=[^&]*(?:&|$))*))?"
)
# As people paste it: the password may hold any character, and ends at the last `@`.
_LENIENT = re.compile(
    r"(?P<user>[^:/?#]*)(?::(?P<password>.*))?@"
    r"(?P<hosts>[^/?#@]*)(?:/(?P<dbname>[^/?#@]*))?(?:\?(?P<query>[^@]*))?",
    re.DOTALL,
)
_HOST = re.compile(r"[\w.:%-]*|/.*")
_UNREADABLE = (
    "it is not a PostgreSQL URL; write postgresql://user:password@host:port/database, and / ? # @ "
    ": "
    "in a user name or password as %2F %3F %23 %40 %3A"
)


class Host(NamedTuple):
    """A server: the folder of its socket, or a name or address, and the port."""

    name: str
    port: int

    @property
    def is_socket(self) -> bool:
        return self.name.startswith("/")

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True)
class ConnectionInfo:
    """What it takes to reach a database, as libpq's parameters; all of them are checked. `direct`
    reaches it without the pooler, if that is known."""

    parameters: Mapping[str, str] = field(repr=False)
    pooler: Pooler = Pooler.NONE
    direct: "ConnectionInfo | None" = None

    def __str__(self) -> str:
        """Where it is: `at db.example:5432/dreamnet`, or `dreamnet on this machine`."""
        if any(host.is_socket for host in self.hosts):
            return f"{self.dbname} on this machine"
        return f"at {','.join(map(str, self.hosts))}/{self.dbname}"

    @property
    def hosts(self) -> tuple[Host, ...]:
        return tuple(_hosts(self.parameters))

    @property
    def user(self) -> str:
        return self.parameters.get("user") or getpass.getuser()

    @property
    def dbname(self) -> str:
        return self.parameters.get("dbname") or self.user

    @property
    def connect_seconds(self) -> int:
        return int(self.parameters.get("connect_timeout", 0)) or CONNECT_SECONDS

    @property
    def for_sessions(self) -> "ConnectionInfo | None":
        """How to reach the database for what lasts longer than a transaction; None if there is no
        way."""
        return self if self.pooler.keeps_sessions else self.direct

    def set(self, **parameters: str) -> "ConnectionInfo":
        return replace(self, parameters={**self.parameters, **parameters})

    def behind(self, pooler: Pooler) -> "ConnectionInfo":
        return replace(self, pooler=pooler)


def connection_info(
    url: "str | ConnectionInfo | None", variables: Mapping[str, str] | None = None
) -> ConnectionInfo:
    """Reads a URL; `variables` are the values of libpq's variables, by the names of parameters.

    Raises InvalidParameter.
    """
    if isinstance(url, ConnectionInfo):
        return url
    given = checked(_read(url), str) if url else {}
    fallback = checked(variables or {}, VARIABLES.__getitem__)
    parameters = {**fallback, **_service({**fallback, **given}), **given}
    tuple(_hosts(parameters))  # raises now what is wrong with them
    _check_roots(parameters)
    return ConnectionInfo(parameters, _declared_pooler(parameters))


def _declared_pooler(parameters: Mapping[str, str]) -> Pooler:
    asked = ("statement_cache_size", "prepared_statement_cache_size")
    if parameters.get("pgbouncer") == "true" or any(map(parameters.__contains__, asked)):
        return Pooler.TRANSACTION
    return Pooler.NONE


def _check_roots(parameters: Mapping[str, str]) -> None:
    weak = parameters.get("sslmode", "verify-full") != "verify-full"
    if parameters.get("sslrootcert") == "system" and weak:
        raise InvalidParameter("sslrootcert=system needs sslmode=verify-full")


# URLs


def _read(url: str) -> dict[str, str]:
    scheme, found, rest = url.strip().partition("://")  # a file of it may end with a line break
    if not found or scheme not in SCHEMES:
        raise InvalidParameter("must start with postgresql://")
    parts = _STRICT.fullmatch(rest) or _LENIENT.fullmatch(rest)
    if parts is None or "\0" in unquote(rest):
        raise InvalidParameter(_UNREADABLE)
    hosts = dict(zip(("host", "port"), _authority(parts["hosts"]), strict=True))
    named = {name: unquote(parts[name] or "") for name in ("user", "password", "dbname")}
    asked = _query(parts["query"] or "", nameable="@" not in rest.partition("?")[2])
    return {name: value for name, value in {**named, **hosts}.items() if value} | asked


def _authority(text: str) -> tuple[str, str]:
    found = [_host_and_port(part) for part in text.split(",")]
    ports = ",".join(port for _, port in found)
    return ",".join(unquote(host) for host, _ in found), ports if ports.strip(",") else ""


def _host_and_port(text: str) -> tuple[str, str]:
    """A host as `name:port`, `[::1]:port` or either without a port."""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = text.partition(":")
    return (text, "") if ":" in port else (host, port)  # an IPv6 address without brackets


def _query(text: str, *, nameable: bool) -> dict[str, str]:
    """The parameters after `?`; the last of equal ones counts, but several hosts are all meant.

    Unknown names are reported only if they cannot be part of a password.
    """
    asked: dict[str, str] = {}
    for pair in filter(None, text.split("&")):
        name, separator, value = pair.partition("=")
        if not separator:
            raise InvalidParameter(_UNREADABLE)
        name, value = _libpq_name(unquote(name), unquote(value))
        if name not in PARAMETERS:
            raise InvalidParameter(
                f"it has an unknown parameter {name}" if nameable else _UNREADABLE
            )
        repeated = name in ("host", "port") and name in asked
        asked[name] = f"{asked[name]},{value}" if repeated else value
    return _with_ports_split_off(asked)


def _libpq_name(name: str, value: str) -> tuple[str, str]:
    if name == "ssl":
        return "sslmode", "require" if value == "true" else value
    return ("dbname" if name == "database" else name), value


def _with_ports_split_off(asked: dict[str, str]) -> dict[str, str]:
    if "host" in asked and "port" not in asked and not asked["host"].startswith("/"):
        asked["host"], ports = _authority(asked["host"])
        return asked | ({"port": ports} if ports else {})
    return asked


# Hosts


def _hosts(parameters: Mapping[str, str]) -> Iterator[Host]:
    names = _names(parameters)
    ports = parameters.get("port", "").split(",")
    if len(ports) not in (1, len(names)):
        raise InvalidParameter(f"there are {len(names)} hosts and {len(ports)} ports")
    for name, port in zip(names, ports if ports[1:] else ports * len(names), strict=True):
        yield from (Host(each, _port(port)) for each in ([name] if name else DEFAULT_HOSTS))


def _names(parameters: Mapping[str, str]) -> list[str]:
    names, addresses = parameters.get("host", ""), parameters.get("hostaddr", "")
    if names and addresses:
        raise InvalidParameter("hostaddr is not supported beside host")
    found = (names or addresses).split(",")
    if not all(map(_HOST.fullmatch, found)):
        raise InvalidParameter("host must be a name, an IP address or the folder of a socket")
    return found


def _port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65535):
        raise InvalidParameter("port must be a number from 1 to 65535")
    return int(text)


# Service files


def _service(parameters: Mapping[str, str]) -> dict[str, str]:
    name = parameters.get("service")
    if not name:
        return {}
    for file in _service_files(parameters.get("servicefile")):
        entries = _entries(file)
        if entries.has_section(name):
            return _entry(dict(entries[name]))
    raise InvalidParameter("service is not in any service file")


def _service_files(named: str | None) -> Iterator[Path]:
    yield Path(named) if named else Path.home() / ".pg_service.conf"
    yield Path("/etc/postgresql-common/pg_service.conf")


def _entries(file: Path) -> ConfigParser:
    entries = ConfigParser(
        delimiters=("=",),
        comment_prefixes=("#",),
        interpolation=None,
        strict=False,
        default_section="",
    )
    try:
        entries.read(file)
    except (NotConfiguration, UnicodeDecodeError, OSError):
        raise InvalidParameter("service is in a service file that cannot be read") from None
    return entries


def _entry(found: dict[str, str]) -> dict[str, str]:
    unknown = [name for name in found if name not in PARAMETERS or name.startswith("service")]
    if unknown:
        raise InvalidParameter("service has a parameter that is unknown")
    return checked(found, "{} of the service".format)
