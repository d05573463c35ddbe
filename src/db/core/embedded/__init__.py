"""Embedded: a real PostgreSQL 18 in a folder, for everybody who has no server at hand.

Processes that name the same folder share one server: the first starts it, the last one out stops
it. Each holds a shared lock on a file while it uses the server, and starting and stopping happen
under an exclusive one. The system drops the locks of a process however it dies, so nothing it
leaves behind blocks the next start: a server that outlived it is used as it is (stopping it first
would throw out whoever else is connected), and a server that died is started again.

The folder holds `data`, `server.log`, the locks and the server's socket. Nobody else can read it,
which is why the server asks for no password.
"""

from db.core.embedded.failure import EmbeddedFailed as EmbeddedFailed
from db.core.embedded.sharing import Embedded as Embedded
from db.core.embedded.supervisor import Supervisor as Supervisor
