"""Pepper: the secret that the API keys of this deployment are hashed with."""

import hmac
from functools import cache
from pathlib import Path

from db.core.api_key_format import ApiKeyCodec
from gateway.auth import private_files
from gateway.settings import Settings, SettingsRefused

PEPPER_FILE = "key.pepper"
ENVS = {"development": "dev", "production": "prod"}


@cache
def api_key_codec(settings: Settings) -> ApiKeyCodec:
    """The codec for keys of this deployment. Development creates a pepper in a file that only its
    owner can read. Raises SettingsRefused if there is no pepper."""
    return ApiKeyCodec(ENVS[settings.env], _pepper(settings).encode())


def derived_secret(settings: Settings, purpose: str) -> bytes:
    """A secret of this deployment for another purpose. Raises SettingsRefused as above."""
    return hmac.digest(_pepper(settings).encode(), f"dreamnet {purpose}".encode(), "sha256")


def _pepper(settings: Settings) -> str:
    if settings.key_pepper is not None:
        return settings.key_pepper.get_secret_value()
    if settings.development:
        return _development_pepper(settings.data_dir / PEPPER_FILE)
    raise SettingsRefused(
        "DREAMNET_ENV=production needs DREAMNET_KEY_PEPPER, the secret that API keys are hashed "
        "with: set it to 32 random bytes or more, for example from `openssl rand -hex 32`."
    )


def _development_pepper(path: Path) -> str:
    try:
        return private_files.secret(path)
    except OSError as error:
        raise SettingsRefused(
            f"The secret that API keys are hashed with cannot be kept in {path.resolve()}: "
            f"{error.strerror}. Set DREAMNET_DATA_DIR to a writable folder."
        ) from error
