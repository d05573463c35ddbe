"""Libpq: the variables of PostgreSQL's own clients, PGHOST and so on, which we follow too."""

from typing import Any

from pydantic import Field, SecretStr, create_model
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.core.connections.libpq_parameters import VARIABLES


class _Variables(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
        protected_namespaces=(),
    )


_fields: dict[str, Any] = {  # the parameters of `create_model`
    keyword: (SecretStr | None, Field(default=None, validation_alias=variable))
    for keyword, variable in VARIABLES.items()
}
_Libpq = create_model("_Libpq", __base__=_Variables, **_fields)


def libpq_variables() -> dict[str, str]:
    values: dict[str, SecretStr | None] = dict(_Libpq())
    return {keyword: value.get_secret_value() for keyword, value in values.items() if value}
