"""Embedded: a PostgreSQL 18 server in a folder, for users without a server.

Processes that use the same folder share one server: the first starts it, the last stops it. Each
holds a shared file lock while it uses the server; starting and stopping need an exclusive lock. The
operating system releases the locks of a process that dies, so they never block the next start. A
server that is still running is reused, because stopping it would disconnect its other clients; a
server that died is started again.

The folder holds `data`, `server.log`, the locks and the server's socket. Other users of the machine
cannot read it, so the server needs no password.
"""

from db.core.embedded.backups import Backups as Backups
from db.core.embedded.failure import EmbeddedFailed as EmbeddedFailed
from db.core.embedded.restoring import restore as restore
from db.core.embedded.sharing import Embedded as Embedded
from db.core.embedded.supervisor import Supervisor as Supervisor
