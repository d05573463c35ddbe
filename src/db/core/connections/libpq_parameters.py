"""Parameters: libpq's connection parameters, the values that are understood, their variables.

What the driver cannot do is refused by name, so that no parameter is ignored. Messages name the
parameter and never show its value: a mistyped URL may have part of a password in its place.

Source: PostgreSQL 18 manual, 32.1.2 (parameter keywords) and 32.15 (environment variables).
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


class InvalidParameter(ValueError):
    """A connection parameter cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: the variable libpq reads it from, and which values are accepted."""

    variable: str
    accepts: Callable[[str], bool]
    expected: str

    def check(self, label: str, value: str) -> None:
        """Raises InvalidParameter, whose message calls the parameter `label`."""
        if not self.accepts(value):
            raise InvalidParameter(f"{label} {self.expected}")


def _text(variable: str = "") -> Parameter:
    return Parameter(variable, lambda value: "\0" not in value, "holds a zero byte")


def _one_of(variable: str, *values: str) -> Parameter:
    named = f"must be one of {', '.join(values)}" if values[1:] else f"must be {values[0]}"
    return Parameter(variable, values.__contains__, named)


def _number(variable: str = "") -> Parameter:
    return Parameter(variable, _is_number, "must be a whole number, from 0 to 999999")


def _file(variable: str, *words: str) -> Parameter:
    return Parameter(
        variable,
        lambda value: value in words or _is_readable(Path(value)),
        "names a file that cannot be read",
    )


def _unsupported(variable: str = "") -> Parameter:
    return Parameter(variable, lambda _: False, "is not supported")


def _is_name(value: str) -> bool:
    return "\0" not in value and "://" not in value


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) <= len("999999")


def _is_readable(file: Path) -> bool:
    return "\0" not in str(file) and file.is_file() and os.access(file, os.R_OK)


_TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")

PARAMETERS: Mapping[str, Parameter] = {
    "host": _text("PGHOST"),
    "hostaddr": _text("PGHOSTADDR"),
    "port": _text("PGPORT"),
    "dbname": Parameter("PGDATABASE", _is_name, "must be the name of a database"),
    "user": _text("PGUSER"),
    "password": _text("PGPASSWORD"),
    "passfile": _text("PGPASSFILE"),
    "service": _text("PGSERVICE"),
    "servicefile": _file("PGSERVICEFILE"),
    "application_name": _text("PGAPPNAME"),
    "fallback_application_name": _text(),
    "options": _text("PGOPTIONS"),
    "connect_timeout": _number("PGCONNECT_TIMEOUT"),
    "client_encoding": _one_of("PGCLIENTENCODING", "UTF8", "UTF-8", "utf8", "utf-8", "auto"),
    "target_session_attrs": _one_of(
        "PGTARGETSESSIONATTRS",
        *("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
    "load_balance_hosts": _one_of("PGLOADBALANCEHOSTS", "disable", "random"),
    "keepalives": _one_of("", "0", "1"),
    "keepalives_idle": _number(),
    "keepalives_interval": _number(),
    "keepalives_count": _number(),
    "tcp_user_timeout": _number(),
    "sslmode": _one_of(
        "PGSSLMODE", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"
    ),
    "sslnegotiation": _one_of("PGSSLNEGOTIATION", "postgres", "direct"),
    "sslrootcert": _file("PGSSLROOTCERT", "system"),
    "sslcert": _file("PGSSLCERT"),
    "sslkey": _file("PGSSLKEY"),
    "sslpassword": _text(),
    "sslcrl": _file("PGSSLCRL"),
    "ssl_min_protocol_version": _one_of("PGSSLMINPROTOCOLVERSION", *_TLS_VERSIONS),
    "ssl_max_protocol_version": _one_of("PGSSLMAXPROTOCOLVERSION", *_TLS_VERSIONS),
    # The driver has no channel binding. Hosts put `require` into every URL they give out;
    # `sslmode=verify-full` protects from the same attacks.
    "channel_binding": _one_of("PGCHANNELBINDING", "disable", "prefer", "require"),
    "krbsrvname": _text("PGKRBSRVNAME"),
    "gsslib": _one_of("PGGSSLIB", "gssapi"),
    "gssencmode": _one_of("PGGSSENCMODE", "disable", "prefer"),
    "gssdelegation": _one_of("PGGSSDELEGATION", "0"),
    "sslcompression": _one_of("PGSSLCOMPRESSION", "0"),
    "sslcertmode": _one_of("PGSSLCERTMODE", "allow"),
    "sslsni": _one_of("PGSSLSNI", "1"),
    "replication": _one_of("", "false", "off", "no", "0"),
    "min_protocol_version": _one_of("PGMINPROTOCOLVERSION", "3.0"),
    "max_protocol_version": _one_of("PGMAXPROTOCOLVERSION", "3.0", "3.2", "latest"),
    "sslcrldir": _unsupported("PGSSLCRLDIR"),
    "sslkeylogfile": _unsupported(),
    "require_auth": _unsupported("PGREQUIREAUTH"),
    "requirepeer": _unsupported("PGREQUIREPEER"),
    "scram_client_key": _unsupported(),
    "scram_server_key": _unsupported(),
    "oauth_issuer": _unsupported(),
    "oauth_client_id": _unsupported(),
    "oauth_client_secret": _unsupported(),
    "oauth_scope": _unsupported(),
    # Not libpq's, but found in URLs: other drivers ask for statements without names like this.
    "pgbouncer": _one_of("", "true", "false"),
    "statement_cache_size": _one_of("", "0"),
    "prepared_statement_cache_size": _one_of("", "0"),
}

VARIABLES: Mapping[str, str] = {
    keyword: parameter.variable for keyword, parameter in PARAMETERS.items() if parameter.variable
}

# Each of these names a server; the others only say how to reach one.
NAMES_A_SERVER = ("host", "hostaddr", "service")


def checked(given: Mapping[str, str], label: Callable[[str], str]) -> dict[str, str]:
    """The parameters that are set. Raises InvalidParameter."""
    present = {keyword: value for keyword, value in given.items() if value}
    for keyword, value in present.items():
        PARAMETERS[keyword].check(label(keyword), value)
    return present
