"""PgBouncer: the pooler before the primary, with the settings of deploy/pgbouncer.ini."""

import shutil
import signal
from pathlib import Path

from cluster.processes import Program, free_port, listens, until
from db.core.embedded.os_account import make_reachable

SETTINGS = Path(__file__).parents[2] / "deploy" / "pgbouncer.ini"


class PgBouncer:
    """Listens on one port, whichever server is behind it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.file = folder / "pgbouncer.ini"
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        self.program = Program("pgbouncer", [program, self.file], folder, as_root=False)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/dreamnet"

    async def start(self, sockets: str) -> None:
        self._write(sockets)
        await self.again()

    async def again(self) -> None:
        await self.program.start()
        await until(lambda: listens(self.port), "PgBouncer does not listen")

    def lead_to(self, sockets: str) -> None:
        """Send connections to another server from now on."""
        self._write(sockets)
        self.program.signal(signal.SIGHUP)

    def _write(self, sockets: str) -> None:
        lines = [
            "[databases]",
            f"dreamnet = host={sockets} port=5432 user=postgres dbname=dreamnet",
            "[pgbouncer]",
            "listen_addr = 127.0.0.1",
            f"listen_port = {self.port}",
            "auth_type = any",
            "unix_socket_dir =",
            f"%include {SETTINGS}",
            "",
        ]
        self.file.write_text("\n".join(lines))
        make_reachable(self.file)
