"""Settings: the configuration, read from environment variables and a `.env` file."""

from functools import cached_property
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationError, model_validator

from gateway.origins import Origins
from gateway.setting_types import (
    ANY_PLACE,
    Folder,
    LoopbackPlaces,
    Manifest,
    Network,
    Networks,
    OriginList,
    UrlPath,
    Variables,
    is_loopback,
    loopback_places,
    networks,
)
from gateway.settings.archive import ArchiveSettings
from gateway.settings.database import DatabaseSettings
from gateway.settings.events import EventSettings
from gateway.settings.identity import IdentitySettings
from gateway.settings.limits import LIMITS as LIMITS, LimitSettings
from gateway.settings.mail import MailSettings
from gateway.settings.media import MediaSettings
from gateway.settings.monitoring import MonitoringSettings
from gateway.settings.retention import RetentionSettings
from gateway.settings.section import Section
from graph.core.budget import MEMORY, Budget


class SettingsRefused(Exception):
    """The settings are not acceptable; the message says which one and why, on one line each."""


class Settings(
    LimitSettings,
    RetentionSettings,
    ArchiveSettings,
    EventSettings,
    MailSettings,
    MediaSettings,
    MonitoringSettings,
    IdentitySettings,
    DatabaseSettings,
):
    """One value per setting; `variable` names the environment variable it comes from."""

    env: Literal["development", "production"] = Field(
        default="development",
        description="`development` acts as the administrator `admin@localhost` and therefore "
        "listens on loopback only. `production` requires `DATABASE_URL`, "
        "`DREAMNET_KEY_PEPPER` and a credential with each request.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; `0.0.0.0` is every IPv4 address, `::` every IPv4 and "
        "IPv6 address.",
    )
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that serve the port; one needs about 120 MB and uses one core.",
    )
    gateways: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Gateways that share `DREAMNET_BUDGET_STORAGE`. While it is away, each process "
        "of each of them counts its share.",
    )
    root_path: UrlPath | None = Field(
        default=None,
        description="Path prefix of the gateway behind a proxy, such as `/dreamnet`.",
    )
    trusted_proxies: Networks = Field(
        default="127.0.0.0/8,::1",
        description="Comma-separated addresses and networks of proxies whose `X-Forwarded-For`, "
        "`X-Forwarded-Proto` and `X-Forwarded-Prefix` are trusted; `none` trusts no "
        "proxy.",
    )
    cors_origins: OriginList | None = Field(
        default=None,
        description="Comma-separated origins of other sites whose pages may use the API from a "
        "browser, such as `https://app.example.org` or `http://localhost:*` for any port; "
        "if unset, none.",
    )
    data_dir: Folder = Field(
        default=Path(".dreamnet"),
        description="Folder of the embedded database and of generated secrets, relative to the "
        "working directory.",
    )
    backup_dir: Folder | None = Field(
        default=None,
        description="Folder of backups of the embedded database, and of the log of what was "
        "written since; if unset, none are made.",
    )
    sync_environment: Variables | None = Field(
        default=None,
        description="Comma-separated environment variables whose values `syncEnvironment` may "
        "store; of all others, and of secrets, it stores only the name.",
    )
    executor: Literal["plan", "core"] = Field(
        default="plan",
        description="What executes queries: `plan`, compiled plans and graphql-core for the rest, "
        "or `core`, graphql-core alone.",
    )
    short_path: Literal["on", "off"] = Field(
        default="on",
        description="Whether small requests of known clients skip the layers of ASGI: `on` or "
        "`off`. The answers are the same.",
    )
    federation: Literal["on", "off"] = Field(
        default="off",
        description="Whether the API is a subgraph of Apollo Federation 2, with the fields "
        "`_service` and `_entities`: `on` or `off`.",
    )
    trusted_documents: Manifest | None = Field(
        default=None,
        description="File with the documents that are executed, and no others: a manifest of "
        "Apollo, Relay or GraphQL Code Generator. If unset, all documents are, and clients may "
        "register them by hash.",
    )
    webhook_loopback: LoopbackPlaces | None = Field(
        default=None,
        description="Comma-separated loopback addresses, such as `127.0.0.1:9000`, that webhooks "
        "may be sent to, also by http; `any` for all of them, in development. If unset, none.",
    )
    compression: Literal["on", "off"] = Field(
        default="on",
        description="Whether responses are compressed, in an encoding that the client accepts: "
        "zstd, br or gzip. `off` leaves it to a proxy.",
    )
    console: Literal["on", "off"] = Field(
        default="on",
        description="Whether the gateway serves the console and GraphiQL: `on` or `off`.",
    )
    request_log: Literal["on", "off"] = Field(
        default="on",
        description="Whether API requests are recorded as `api_request` events: `on` or `off`.",
    )
    request_log_sample: float = Field(
        default=1.0, ge=0, le=1, description="Share of API requests recorded, from 0 to 1."
    )
    drain_seconds: int | None = Field(
        default=None,
        ge=0,
        description="Seconds that a stopping gateway continues to serve while not ready, so that "
        "load balancers notice; unset, 0 in development and 5 in production.",
    )
    spread_seconds: int | None = Field(
        default=None,
        ge=0,
        description="Seconds over which streams are then closed, so that clients do not reconnect "
        "all at once; unset, 0 in development and 10 in production.",
    )
    shutdown_seconds: int = Field(
        default=10,
        ge=1,
        description="Seconds that active requests may take when the gateway stops.",
    )
    log_format: Literal["console", "json"] | None = Field(
        default=None,
        description="`console` for people, `json` for log collectors; unset, console in "
        "development and json in production.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Minimum severity that is logged: `debug`, `info`, `warning`, `error`.",
    )

    @classmethod
    def variable(cls, name: str) -> str:
        alias = cls.model_fields[name].validation_alias
        return str(alias) if alias else f"DREAMNET_{name.upper()}"

    @property
    def development(self) -> bool:
        return self.env == "development"

    @property
    def archive_folder(self) -> Path:
        return self.folder_of_archive(self.data_dir)

    @property
    def opened_by_token(self) -> bool:
        return self.development and not self.dev_open

    @property
    def log_as_json(self) -> bool:
        return self.log_format == "json" or (self.log_format is None and not self.development)

    @property
    def recorded_share(self) -> float:
        return self.request_log_sample if self.request_log == "on" else 0

    @property
    def drain(self) -> int:
        unset = 0 if self.development else 5
        return unset if self.drain_seconds is None else self.drain_seconds

    @property
    def spread(self) -> int:
        unset = 0 if self.development else 10
        return unset if self.spread_seconds is None else self.spread_seconds

    @property
    def proxies(self) -> tuple[Network, ...]:
        return networks(self.trusted_proxies)

    @cached_property
    def origins(self) -> Origins | None:
        return Origins(self.cors_origins) if self.cors_origins is not None else None

    @cached_property
    def storable_variables(self) -> frozenset[str]:
        names = map(str.strip, (self.sync_environment or "").split(","))
        return frozenset(filter(None, names))

    def budget(self) -> Budget:
        storage = self.budget_storage
        processes = self.workers * self.gateways
        return Budget(storage.get_secret_value() if storage else MEMORY, processes)

    @property
    def webhook_places(self) -> tuple[str, ...]:
        return loopback_places(self.webhook_loopback)

    @model_validator(mode="after")
    def _check_webhooks(self) -> Self:
        if not self.development and ANY_PLACE in self.webhook_places:
            raise ValueError(
                "DREAMNET_WEBHOOK_LOOPBACK=any is for development: name each address and port."
            )
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
    def _check_archive(self) -> Self:
        kept = self.keep
        for name, after in self.archive_after.items():
            if name in kept and kept[name] <= after:
                raise ValueError(
                    f"DREAMNET_ARCHIVE_AFTER_DAYS must be less than the days that {name} are kept: "
                    "their months would be deleted before they are archived."
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


class _LogFormat(Section):
    """The settings of the log format."""

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


def _problem(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name = str(place[0])
    variable = Settings.variable(name) if name in Settings.model_fields else name
    return f"{variable} is invalid: {message}."
