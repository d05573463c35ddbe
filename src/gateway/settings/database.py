"""Database settings: how to reach PostgreSQL, and how long statements may take."""

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from db.core.connections.libpq_parameters import NAMES_A_SERVER, InvalidParameter
from db.core.connections.url import ConnectionInfo, connection_info
from db.core.session.database import LOCK_SECONDS, STATEMENT_SECONDS, TIMEOUTS
from db.core.timeouts import Timeouts
from gateway.libpq_variables import libpq_variables
from gateway.setting_types import PostgresUrl
from gateway.settings.section import Section


class DatabaseSettings(Section):
    """The database, its connections and timeouts."""

    database_url: PostgresUrl | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15 or later, as postgresql://user:password@host:port/database. "
        "libpq's variables say what it leaves out. Without it and without PGHOST or PGSERVICE, "
        "development uses an embedded PostgreSQL.",
    )
    direct_url: PostgresUrl | None = Field(
        default=None,
        description="The same database without a connection pooler between, for "
        "`dreamnet migrate`; DATABASE_URL unless set.",
    )
    pooler: Literal["auto", "none", "session", "transaction"] = Field(
        default="auto",
        description="The mode of the connection pooler behind DATABASE_URL; auto detects it.",
    )
    pool_size: int = Field(
        default=20,
        ge=1,
        le=1000,
        description="The most connections to the database for requests at once; each caller gets a "
        "share of them, and further requests wait for one up to 4 seconds.",
    )
    lock_timeout_seconds: float = Field(
        default=LOCK_SECONDS,
        gt=0,
        le=STATEMENT_SECONDS,
        description="How long a statement waits for a lock that other work holds.",
    )
    list_timeout_seconds: float = Field(
        default=TIMEOUTS.list, gt=0, description="How long reading a page of a list may take."
    )
    search_timeout_seconds: float = Field(
        default=TIMEOUTS.search,
        gt=0,
        description="The same where it is searched, or filtered by related rows.",
    )
    aggregate_timeout_seconds: float = Field(
        default=TIMEOUTS.aggregate,
        gt=0,
        description="How long counting rows and figures made of many rows may take.",
    )
    write_timeout_seconds: float = Field(
        default=TIMEOUTS.other,
        ge=LOCK_SECONDS,
        description="How long any other statement may take: writes, and reads by key.",
    )
    import_timeout_seconds: float = Field(
        default=60.0, gt=0, description="How long a statement of `dreamnet import` may take."
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
        """How to reach the database for migrations, if different. Raises InvalidParameter."""
        if self.direct_url is None:
            return None
        return connection_info(_revealed(self.direct_url), libpq_variables())

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
        return self


def _revealed(url: SecretStr | None) -> str | None:
    return url.get_secret_value() if url else None
