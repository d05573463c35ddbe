"""First start: a database without an administrator gets one, with a key in a private file.

In development that administrator is also who requests without a credential act as, so it is made
where there are others as well.
"""

from pathlib import Path

from db import Database, identity
from db.core.connections.url import ConnectionInfo
from db.core.session.audit_context import AuditContext
from db.users import Role
from gateway.auth import private_files
from gateway.auth.pepper import api_key_codec
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.settings import Settings

EMAIL = "admin@localhost"
FILE = "admin.key"
FIRST_START = AuditContext("firstStart")


async def admin_key(url: str | ConnectionInfo, settings: Settings) -> Path | None:
    """The file with the key of the administrator just made; None where there was one. Raises
    SettingsRefused, DomainError, Stopped; then there is neither."""
    database = Database(url, pool_size=1)
    try:
        async with database.write(FIRST_START) as session:
            made = await identity.create_first_admin(session, api_key_codec(settings), EMAIL)
            if made is None:
                if settings.development:
                    await identity.find_or_create(session, EMAIL, Role.ADMIN)
                return None
            path = settings.admin_key_file or settings.data_dir / FILE
            _keep(path, made.text)
            return path
    finally:
        await database.close()


def _keep(path: Path, text: str) -> None:
    try:
        private_files.write(path, f"{text}\n")
    except OSError as error:
        message = f"The first administrator's key cannot be written to {path}: {error.strerror}."
        raise CommandFailed(message, ExitCode.PROBLEMS) from error
