"""First start: a database without an administrator gets one, with a key in a private file.

In development that administrator is also who requests without a credential act as, so it is made
where there are others as well.
"""

from pathlib import Path

from db import Database, identity
from db.core.act import Act
from db.core.url import ConnectionInfo
from db.users import Role
from gateway.auth import private
from gateway.auth.minting import mint
from gateway.exits import Exit, Stopped
from gateway.settings import Settings

EMAIL = "admin@localhost"
FILE = "admin.key"
FIRST_START = Act("firstStart")


async def admin_key(url: str | ConnectionInfo, settings: Settings) -> Path | None:
    """The file with the key of the administrator just made; None where there was one. Raises
    SettingsRefused, DomainError, Stopped; then there is neither."""
    database = Database(url, pool_size=1)
    try:
        async with database.write(FIRST_START) as session:
            made = await identity.first_admin(session, mint(settings), EMAIL)
            if made is None:
                if settings.development:
                    await identity.admit(session, EMAIL, Role.ADMIN)
                return None
            path = settings.admin_key_file or settings.data_dir / FILE
            _keep(path, made.text)
            return path
    finally:
        await database.close()


def _keep(path: Path, text: str) -> None:
    try:
        private.write(path, f"{text}\n")
    except OSError as error:
        message = f"The first administrator's key cannot be written to {path}: {error.strerror}."
        raise Stopped(message, Exit.PROBLEMS) from error
