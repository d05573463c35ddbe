"""Settings: the configuration, read from environment variables and a `.env` file."""

from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.core.connections.libpq_parameters import NAMES_A_SERVER, InvalidParameter
from db.core.connections.meter import MAX_RESPONSE_BYTES
from db.core.connections.url import ConnectionInfo, connection_info
from db.core.session.database import LOCK_SECONDS, STATEMENT_SECONDS, TIMEOUTS
from db.core.timeouts import Timeouts
from gateway.libpq_variables import libpq_variables
from gateway.setting_types import (
    Algorithms,
    Folder,
    Network,
    Networks,
    PostgresUrl,
    SecureUrl,
    Storage,
    UrlPath,
    Variables,
    is_loopback,
    networks,
)

LIMITS = (
    "max_tokens",
    "max_definitions",
    "max_depth",
    "max_aliases",
    "max_directives",
    "max_root_fields",
    "max_selections",
    "max_cost",
    "max_input_values",
    "max_input_values_anonymous",
    "max_input_values_subscription",
    "budget_points_per_minute",
    "budget_points_per_minute_anonymous",
    "failed_sign_ins_per_minute",
    "max_streams",
    "max_streams_per_caller",
    "max_streams_per_network",
    "max_unidentified_sockets",
    "max_unidentified_sockets_per_network",
    "max_idle_connections",
    "max_idle_connections_per_network",
)


class SettingsRefused(Exception):
    """The settings are not acceptable; the message says which one and why, on one line each."""


class Settings(BaseSettings):
    """One value per setting; `variable` names the environment variable it comes from."""

    model_config = SettingsConfigDict(
        env_prefix="DREAMNET_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

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
    env: Literal["development", "production"] = Field(
        default="development",
        description="development acts as admin@localhost and therefore listens on loopback only; "
        "production requires DATABASE_URL, DREAMNET_KEY_PEPPER and a credential with each request.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="The address to listen on; `::` is every address of IPv4 and IPv6.",
    )
    port: int = Field(default=8000, ge=1, le=65535, description="The port to listen on.")
    root_path: UrlPath | None = Field(
        default=None,
        description="The path under which a proxy shows the gateway, such as /dreamnet.",
    )
    trusted_proxies: Networks = Field(
        default="127.0.0.0/8,::1",
        description="The addresses and networks of proxies whose X-Forwarded-For, -Proto and "
        "-Prefix are believed, with commas between; `none` trusts no proxy.",
    )
    data_dir: Folder = Field(
        default=Path(".dreamnet"),
        description="The folder of the embedded database and of secrets made at the first start.",
    )
    public_read: bool = Field(
        default=False,
        description="Whether production shows public data to anonymous clients; otherwise they get "
        "401 for everything but health.",
    )
    dev_open: bool = Field(
        default=True,
        description="Whether development takes requests from this machine without a credential; "
        "otherwise the console is opened with a token that works once.",
    )
    key_pepper: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="The secret that API keys are hashed with; changing it ends them all. Required "
        "in production; development makes one in the data folder.",
    )
    admin_key_file: Folder | None = Field(
        default=None,
        description="Where the first start writes the key of the first administrator; admin.key in "
        "the data folder unless set.",
    )
    oidc_issuer: SecureUrl | None = Field(
        default=None,
        max_length=255,
        description="The OpenID Connect issuer whose tokens are accepted, exactly as in `iss`.",
    )
    oidc_audience: str | None = Field(
        default=None, description="What `aud` must hold; required with an issuer."
    )
    oidc_jwks_url: SecureUrl | None = Field(
        default=None,
        description="The URL of the issuer's keys; unset, it is read from its discovery document.",
    )
    oidc_algorithms: Algorithms = Field(
        default="RS256,ES256,EdDSA",
        description="The algorithms of signatures that are accepted, with commas between.",
    )
    oidc_create_users: bool = Field(
        default=True,
        description="Whether a token of an unknown user creates that user, as a MEMBER.",
    )
    oidc_role_claim: str | None = Field(
        default=None,
        description="The claim that holds the user's role or a list of roles; unset, the role is "
        "the one in the database.",
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
    max_body_bytes: int = Field(
        default=2 * 1024 * 1024, ge=1024, description="The largest request body, in bytes."
    )
    max_response_bytes: int = Field(
        default=MAX_RESPONSE_BYTES,
        ge=64 * 1024,
        description="The largest response to an operation, and the largest message of a "
        "subscription, in bytes.",
    )
    max_document_bytes: int = Field(
        default=20_000,
        ge=256,
        description="The largest GraphQL document, in bytes, not counting its variables.",
    )
    max_tokens: int = Field(
        default=2_000, ge=0, description="The most tokens of a document, comments included."
    )
    max_definitions: int = Field(
        default=100, ge=0, description="The most operations and fragments of a document."
    )
    max_depth: int = Field(
        default=10, ge=0, description="The most levels of fields; introspection has 15 of its own."
    )
    max_aliases: int = Field(default=30, ge=0, description="The most aliases of an operation.")
    max_directives: int = Field(
        default=50, ge=0, description="The most directives of an operation."
    )
    max_root_fields: int = Field(
        default=20, ge=0, description="The most fields at the root of an operation."
    )
    max_selections: int = Field(
        default=5_000, ge=0, description="The most fields once all fragments are expanded."
    )
    max_cost: int = Field(
        default=5_000, ge=0, description="The most points that an operation may cost."
    )
    max_input_values: int = Field(
        default=2_000,
        ge=0,
        description="The most values in the inputs of an operation, each use counted; batches have "
        "20,000.",
    )
    max_input_values_anonymous: int = Field(
        default=1_000, ge=0, description="The same for anonymous clients."
    )
    max_input_values_subscription: int = Field(
        default=250,
        ge=0,
        description="The same for subscriptions, which read them with each message.",
    )
    budget_points_per_minute: int = Field(
        default=100_000, ge=0, description="The points per minute of each user or key."
    )
    budget_points_per_minute_anonymous: int = Field(
        default=5_000,
        ge=0,
        description="The points per minute of all anonymous clients in one network, /24 or /64 in "
        "IPv6.",
    )
    failed_sign_ins_per_minute: int = Field(
        default=50,
        ge=0,
        description="The failed sign-ins per minute of each network, /24 or /64 in IPv6; then only "
        "credentials that were valid before are accepted there.",
    )
    budget_storage: Storage | None = Field(
        default=None,
        description="Where spent points and failed sign-ins are counted, as an `async+` storage "
        "URI of the library `limits`; without it in memory, where each process counts for itself.",
    )
    max_streams: int = Field(
        default=12_000, ge=0, description="The most streams open at once: sockets, event streams."
    )
    max_streams_per_caller: int = Field(
        default=50, ge=0, description="The most streams of each user or key."
    )
    max_streams_per_network: int = Field(
        default=200,
        ge=0,
        description="The most streams of all anonymous clients in one network, /24 or /64 in IPv6.",
    )
    max_unidentified_sockets: int = Field(
        default=2_000,
        ge=0,
        description="The most WebSockets whose client is not known yet; one more closes the oldest "
        "of them.",
    )
    max_unidentified_sockets_per_network: int = Field(
        default=100, ge=0, description="The most of these in one network, /24 or /64 in IPv6."
    )
    max_idle_connections: int = Field(
        default=5_000,
        ge=0,
        description="The most connections of HTTP without a whole request; one more closes the "
        "oldest of them.",
    )
    max_idle_connections_per_network: int = Field(
        default=500,
        ge=0,
        description="The most of these in one network, /24 or /64 in IPv6, trusted proxies aside.",
    )
    public_introspection: bool = Field(
        default=False,
        description="Whether anonymous clients may introspect the schema and get suggestions in "
        "errors.",
    )
    sync_environment: Variables | None = Field(
        default=None,
        description="The environment variables whose values `syncEnvironment` may store as "
        "settings, with commas between; of all others, and of secrets, it stores the names only.",
    )
    request_log: Literal["on", "off"] = Field(
        default="on", description="Whether API requests are recorded as `api_request` events."
    )
    request_log_sample: float = Field(
        default=1.0, ge=0, le=1, description="The share of API requests recorded, from 0 to 1."
    )
    keep_history_days: int = Field(
        default=0, ge=0, description="How long reports of agents are kept; 0 keeps them forever."
    )
    keep_events_days: int = Field(
        default=0, ge=0, description="How long system events are kept; 0 keeps them forever."
    )
    keep_changes_days: int = Field(
        default=30,
        ge=0,
        description="How long subscriptions to other nouns can be resumed; 0 is forever.",
    )
    drain_seconds: int | None = Field(
        default=None,
        ge=0,
        description="How long a stopping gateway serves requests while it reports that it is not "
        "ready, so that load balancers look elsewhere; 0 in development and 5 in production "
        "unless set.",
    )
    spread_seconds: int | None = Field(
        default=None,
        ge=0,
        description="Over how long streams are then ended, so that their clients do not all "
        "reconnect at once; 0 in development and 10 in production unless set.",
    )
    shutdown_seconds: int = Field(
        default=10, ge=1, description="How long requests in progress may take when stopping."
    )
    log_format: Literal["console", "json"] | None = Field(
        default=None,
        description="console is for people, json for collectors; console in development and json "
        "in production unless set.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least severity that is logged."
    )

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable of a setting."""
        alias = cls.model_fields[name].validation_alias
        return str(alias) if alias else f"DREAMNET_{name.upper()}"

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

    @property
    def development(self) -> bool:
        return self.env == "development"

    @property
    def opened_by_token(self) -> bool:
        """Whether the console needs the token that `dreamnet serve` prints."""
        return self.development and not self.dev_open

    @property
    def log_as_json(self) -> bool:
        return self.log_format == "json" or (self.log_format is None and not self.development)

    @property
    def recorded_share(self) -> float:
        """The share of API requests that is recorded, from 0 to 1."""
        return self.request_log_sample if self.request_log == "on" else 0

    @property
    def keep(self) -> dict[str, timedelta]:
        """Retention by feed, for the feeds that have one."""
        days = {
            "agents": self.keep_history_days,
            "events": self.keep_events_days,
            "changes": self.keep_changes_days,
        }
        return {name: timedelta(days=count) for name, count in days.items() if count}

    @property
    def drain(self) -> int:
        """The seconds of `drain_seconds` in this environment."""
        unset = 0 if self.development else 5
        return unset if self.drain_seconds is None else self.drain_seconds

    @property
    def spread(self) -> int:
        """The seconds of `spread_seconds` in this environment."""
        unset = 0 if self.development else 10
        return unset if self.spread_seconds is None else self.spread_seconds

    @property
    def proxies(self) -> tuple[Network, ...]:
        return networks(self.trusted_proxies)

    @property
    def algorithms(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.oidc_algorithms.split(","))

    @property
    def storable_variables(self) -> frozenset[str]:
        names = map(str.strip, (self.sync_environment or "").split(","))
        return frozenset(filter(None, names))

    @model_validator(mode="after")
    def _check_audience(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("DREAMNET_OIDC_ISSUER needs DREAMNET_OIDC_AUDIENCE.")
        return self

    @model_validator(mode="after")
    def _check_libpq_variables(self) -> Self:
        try:
            connection, direct = self.connection, self.direct_connection
        except InvalidParameter as error:
            raise ValueError(f"The variables of libpq are not acceptable: {error}.") from None
        if direct and connection is None:
            raise ValueError("DREAMNET_DIRECT_URL needs DATABASE_URL.")
        return self

    @model_validator(mode="after")
    def _check_database(self) -> Self:
        if not self.development and self.connection is None:
            raise ValueError(
                "DREAMNET_ENV=production needs DATABASE_URL: the embedded database is for "
                "development."
            )
        return self

    @model_validator(mode="after")
    def _check_limits(self) -> Self:
        off = [name for name in LIMITS if getattr(self, name) == 0]
        if off and not self.development:
            raise ValueError(f"{self.variable(off[0])}=0 is no limit: that is for development.")
        return self

    @model_validator(mode="after")
    def _check_loopback(self) -> Self:
        if self.development and not is_loopback(self.host):
            raise ValueError(
                f"DREAMNET_ENV=development acts as an administrator and listens on loopback only: "
                f"DREAMNET_HOST={self.host} needs DREAMNET_ENV=production."
            )
        return self


class _LogFormat(BaseSettings):
    """The settings of the log format."""

    model_config = Settings.model_config
    env: str = "development"
    log_format: str | None = None


def logs_as_json() -> bool:
    """The log format, also if the settings as a whole are invalid."""
    log_format = _LogFormat()
    return log_format.log_format == "json" or (
        log_format.log_format is None and log_format.env != "development"
    )


def load() -> Settings:
    """The settings of this process. Raises SettingsRefused."""
    try:
        return Settings()
    except ValidationError as refused:
        problems = [_problem(error["loc"], error["msg"]) for error in refused.errors()]
        raise SettingsRefused("\n".join(problems)) from None


def _revealed(url: SecretStr | None) -> str | None:
    return url.get_secret_value() if url else None


def _problem(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name = str(place[0])
    variable = Settings.variable(name) if name in Settings.model_fields else name
    return f"{variable} is not acceptable: {message}."
