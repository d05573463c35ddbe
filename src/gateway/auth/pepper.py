"""Minting: what the keys of this deployment are made with, by its settings."""

from functools import cache
from pathlib import Path

from db.core.api_key_format import ApiKeyCodec
from gateway.auth import private_files
from gateway.settings import Settings, SettingsRefused

PEPPER_FILE = "key.pepper"
ENVS = {"development": "dev", "production": "prod"}


@cache
def api_key_codec(settings: Settings) -> ApiKeyCodec:
    """The mint of a deployment. Raises SettingsRefused where production has no pepper, or the one
    of development, made once in a file that only its owner can read, cannot be kept."""
    return ApiKeyCodec(ENVS[settings.env], _pepper(settings).encode())


def _pepper(settings: Settings) -> str:
    if settings.key_pepper is not None:
        return settings.key_pepper.get_secret_value()
    if settings.development:
        return _pepper_of_development(settings.data_dir / PEPPER_FILE)
    raise SettingsRefused(
        "DREAMNET_ENV=production needs DREAMNET_KEY_PEPPER, the secret that API keys are hashed "
        "with: set it to 32 random bytes or more, for example from `openssl rand -hex 32`."
    )


def _pepper_of_development(path: Path) -> str:
    try:
        return private_files.secret(path)
    except OSError as error:
        raise SettingsRefused(
            f"The secret that API keys are hashed with cannot be kept in {path.resolve()}: "
            f"{error.strerror}. Set DREAMNET_DATA_DIR to a folder that can be written to."
        ) from error
