"""Minting: what the keys of this deployment are made with, by its settings."""

from functools import cache

from db.core.credential import Mint
from gateway.auth import private
from gateway.settings import Settings, SettingsRefused

PEPPER_FILE = "key.pepper"
ENVS = {"development": "dev", "production": "prod"}


@cache
def mint(settings: Settings) -> Mint:
    """The mint of a deployment. Raises SettingsRefused where production has no pepper; in
    development it is made once, in a file that only its owner can read."""
    return Mint(ENVS[settings.env], _pepper(settings).encode())


def _pepper(settings: Settings) -> str:
    if settings.key_pepper is not None:
        return settings.key_pepper.get_secret_value()
    if settings.development:
        return private.secret(settings.data_dir / PEPPER_FILE)
    raise SettingsRefused(
        "DREAMNET_ENV=production needs DREAMNET_KEY_PEPPER, the secret that API keys are hashed "
        "with: set it to 32 random bytes or more, for example from `openssl rand -hex 32`."
    )
