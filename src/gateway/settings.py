"""Settings: what an operator may decide, read from environment variables and a `.env` file."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

SCHEMES = ("postgresql", "postgres")


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

    database_url: SecretStr | None = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL 15 or later, as postgresql://user:password@host:port/database. "
        "Without it, development uses an embedded PostgreSQL.",
    )
    env: Literal["development", "production"] = Field(
        default="development",
        description="development acts as an administrator and therefore listens on loopback only; "
        "production requires DATABASE_URL and shows anonymous callers what is public.",
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="The port to listen on.")
    data_dir: Path = Field(
        default=Path(".dreamnet"),
        description="The folder of the embedded database; not used with DATABASE_URL.",
    )
    pool_size: int = Field(
        default=10,
        ge=1,
        le=1000,
        description="The most connections to the database at once; further requests wait for one "
        "up to 2 seconds.",
    )
    max_body_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="The largest request body, in bytes."
    )
    max_document_bytes: int = Field(
        default=20_000,
        ge=256,
        description="The largest GraphQL document, in bytes, not counting its variables.",
    )
    shutdown_seconds: int = Field(
        default=10, ge=1, description="How long requests under way may take when stopping."
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
    def development(self) -> bool:
        """Whether this is a developer's machine."""
        return self.env == "development"

    @property
    def log_as_json(self) -> bool:
        """How log lines are written."""
        return self.log_format == "json" or (self.log_format is None and not self.development)

    @field_validator("database_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url and urlsplit(url.get_secret_value()).scheme not in SCHEMES:
            raise ValueError("must start with postgresql://")
        return url

    @model_validator(mode="after")
    def _has_its_own_database_in_production(self) -> Self:
        if not self.development and self.database_url is None:
            raise ValueError(
                "DREAMNET_ENV=production needs DATABASE_URL: the embedded database is for "
                "development."
            )
        return self

    @model_validator(mode="after")
    def _stays_on_loopback_in_development(self) -> Self:
        if self.development and not is_loopback(self.host):
            raise ValueError(
                f"DREAMNET_ENV=development acts as an administrator and listens on loopback only: "
                f"DREAMNET_HOST={self.host} needs DREAMNET_ENV=production."
            )
        return self


def load() -> Settings:
    """The settings of this process. Raises SettingsRefused."""
    try:
        return Settings()
    except ValidationError as refused:
        problems = [_sentence(error["loc"], error["msg"]) for error in refused.errors()]
        raise SettingsRefused("\n".join(problems)) from None


def is_loopback(host: str) -> bool:
    """Whether that host, by name or address, is this machine and nobody else."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name = str(place[0])
    variable = Settings.variable(name) if name in Settings.model_fields else name
    return f"{variable} is not acceptable: {message}."
