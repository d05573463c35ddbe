"""Identity settings: which clients are accepted, and by which credentials."""

from typing import Self

from pydantic import Field, SecretStr, model_validator

from gateway.setting_types import Algorithms, Folder, SecureUrl
from gateway.settings.section import Section


class IdentitySettings(Section):
    """Anonymous clients, API keys and the OpenID Connect issuer."""

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
    public_introspection: bool = Field(
        default=False,
        description="Whether anonymous clients may introspect the schema and get suggestions in "
        "errors.",
    )

    @property
    def algorithms(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.oidc_algorithms.split(","))

    @model_validator(mode="after")
    def _check_audience(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("DREAMNET_OIDC_ISSUER needs DREAMNET_OIDC_AUDIENCE.")
        return self
