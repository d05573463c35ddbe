"""Database settings: how to reach PostgreSQL, and how long statements may take."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from db.core.connections.libpq_parameters import NAMES_A_SERVER, InvalidParameter
from db.core.connections.url import ConnectionInfo, connection_info
from db.core.session.database import LOCK_SECONDS, STATEMENT_SECONDS, TIMEOUTS
from db.core.timeouts import Timeouts
from gateway.libpq_variables import libpq_variables
from gateway.setting_types import PostgresUrl, PostgresUrls
from gateway.settings.section import Section


class DatabaseSettings(Section):
    """The database, its connections and timeouts."""

    database_url: PostgresUrl | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15 or later, as `postgresql://user:password@host:port/database`. "
        "Without it, `PGHOST`, `PGHOSTADDR` and `PGSERVICE`, development uses an "
        "embedded PostgreSQL 18 and production refuses to start.",
    )
    direct_url: PostgresUrl | None = Field(
        default=None,
        description="The same database without a connection pooler, for `dreamnet migrate` and for "
        "`LISTEN`; `DATABASE_URL` if unset.",
    )
    replica_urls: PostgresUrls | None = Field(
        default=None,
        validation_alias="DATABASE_REPLICA_URLS",
        description="Standbys of the database for reads that may be late, as URLs with spaces "
        "between; each behind a connection pooler of the same mode, or none.",
    )
    replica_max_late_seconds: float = Field(
        default=5.0,
        ge=0,
        le=60,
        description="How late reads from standbys may be for callers who do not write. Callers who "
        "write see everything that was committed before.",
    )
    pooler: Literal["auto", "none", "session", "transaction"] = Field(
        default="auto",
        description="Mode of the connection pooler at `DATABASE_URL`: `none`, `session` or "
        "`transaction`; `auto` detects it.",
    )
    pool_size: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="Maximum connections to the database for requests. Each client gets a share, "
        "and further requests wait up to 4 seconds.",
    )
    lock_timeout_seconds: float = Field(
        default=LOCK_SECONDS,
        gt=0,
        le=STATEMENT_SECONDS,
        description="Seconds a statement waits for a lock, at most 10. Migrations, imports and "
        "retention have their own limits.",
    )
    list_timeout_seconds: float = Field(
        default=TIMEOUTS.list,
        gt=0,
        description="Seconds to read a page of a list; beyond that the code is `TIMEOUT`.",
    )
    search_timeout_seconds: float = Field(
        default=TIMEOUTS.search,
        gt=0,
        description="The same with a search, or a filter on related rows.",
    )
    aggregate_timeout_seconds: float = Field(
        default=TIMEOUTS.aggregate,
        gt=0,
        description="Seconds to count or aggregate rows; beyond that the code is `TIMEOUT`.",
    )
    write_timeout_seconds: float = Field(
        default=TIMEOUTS.other,
        ge=LOCK_SECONDS,
        description="Seconds of any other statement: writes, and reads by key. Beyond that the "
        "code is `SERVICE_UNAVAILABLE`.",
    )
    import_timeout_seconds: float = Field(
        default=60.0, gt=0, description="Seconds of a statement of `dreamnet import`."
    )

    @property
    def connection(self) -> ConnectionInfo | None:
        """How to reach the database; None for the embedded one. Raises InvalidParameter."""
        variables = libpq_variables()
        if self.database_url is None and not any(map(variables.__contains__, NAMES_A_SERVER)):
            return None
        return connection_info(_revealed(self.database_url), variables)

    @property
    def direct_connection(self) -> ConnectionInfo | None:
        """How to reach the database without a pooler, if different. Raises InvalidParameter."""
        if self.direct_url is None:
            return None
        return connection_info(_revealed(self.direct_url), libpq_variables())

    @property
    def replica_connections(self) -> list[ConnectionInfo]:
        """Raises InvalidParameter."""
        variables = libpq_variables()
        urls = (_revealed(self.replica_urls) or "").split()
        return [connection_info(url, variables) for url in urls]

    @property
    def timeouts(self) -> Timeouts:
        return Timeouts(
            self.list_timeout_seconds,
            self.search_timeout_seconds,
            self.aggregate_timeout_seconds,
            self.write_timeout_seconds,
        )

    @model_validator(mode="after")
    def _check_libpq_variables(self) -> Self:
        try:
            connection, direct = self.connection, self.direct_connection
        except InvalidParameter as error:
            raise ValueError(f"The variables of libpq are not acceptable: {error}.") from None
        if direct and connection is None:
            raise ValueError("DREAMNET_DIRECT_URL needs DATABASE_URL.")
        if self.replica_connections and connection is None:
            raise ValueError("DATABASE_REPLICA_URLS needs DATABASE_URL.")
        return self


def _revealed(url: SecretStr | None) -> str | None:
    return url.get_secret_value() if url else None
