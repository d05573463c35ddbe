"""First administrator: created in a database without one, with its key in a private file.

Development uses it for requests without a credential, so there it is created in any case.
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
    """Create the administrator and its key; the path of the key, or None if there is an
    administrator. Raises SettingsRefused, DomainError, CommandFailed; then neither exists."""
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
