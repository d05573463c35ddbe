"""Identity settings: which clients are accepted, and by which credentials."""

from datetime import timedelta
from typing import Self

from pydantic import Field, SecretStr, model_validator

from gateway.setting_types import Algorithms, Folder, SecureUrl
from gateway.settings.section import Section


class IdentitySettings(Section):
    """Anonymous clients, API keys and the OpenID Connect issuer."""

    public_read: bool = Field(
        default=False,
        description="Whether anonymous clients in production can read public data. Otherwise they "
        "get 401 for everything except health checks and the console's empty page.",
    )
    dev_open: bool = Field(
        default=True,
        description="Whether development accepts requests from this machine without a credential. "
        "Otherwise the console is opened with a single-use token.",
    )
    key_pepper: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Secret of 32 characters or more that API keys are hashed with; changing it "
        "invalidates all keys. Required in production; generated in the data folder "
        "in development.",
    )
    key_expiry_notice_days: int = Field(
        default=7,
        ge=0,
        le=365,
        description="Days before an API key expires in which its user is notified, once; 0 does "
        "not notify.",
    )
    admin_key_file: Folder | None = Field(
        default=None,
        description="File for the key of the first administrator; `admin.key` in the data folder "
        "if unset.",
    )
    oidc_issuer: SecureUrl | None = Field(
        default=None,
        max_length=255,
        description="OpenID Connect issuer whose tokens are accepted, exactly as in `iss`.",
    )
    oidc_audience: str | None = Field(
        default=None, description="Required value of `aud`; required with an issuer."
    )
    oidc_jwks_url: SecureUrl | None = Field(
        default=None,
        description="URL of the issuer's keys; read from its discovery document if unset.",
    )
    oidc_algorithms: Algorithms = Field(
        default="RS256,ES256,EdDSA",
        description="Accepted signature algorithms. Algorithms with a shared secret (HS256 and "
        "others) are not allowed.",
    )
    oidc_create_users: bool = Field(
        default=True,
        description="Whether a token of an unknown user creates that user, as a MEMBER.",
    )
    oidc_role_claim: str | None = Field(
        default=None,
        description="Claim with the user's role or list of roles. If unset, the role in the "
        "database applies.",
    )
    public_introspection: bool = Field(
        default=False,
        description="Whether anonymous clients can introspect the schema and get suggestions of "
        "names in errors.",
    )

    @property
    def key_expiry_notice(self) -> timedelta:
        return timedelta(days=self.key_expiry_notice_days)

    @property
    def algorithms(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.oidc_algorithms.split(","))

    @model_validator(mode="after")
    def _check_audience(self) -> Self:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError("DREAMNET_OIDC_ISSUER needs DREAMNET_OIDC_AUDIENCE.")
        return self
