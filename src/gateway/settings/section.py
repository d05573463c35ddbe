"""Section: the base of all groups of settings."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Section(BaseSettings):
    """Settings are read from environment variables and a `.env` file."""

    model_config = SettingsConfigDict(
        env_prefix="DREAMNET_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )
