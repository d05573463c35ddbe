"""HAProxy: one address for all gateways, with the configuration of deploy/haproxy.cfg."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from cluster.processes import Program, free_port, listens, until

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
PROGRAM = shutil.which("haproxy") or "/usr/sbin/haproxy"


def variables(port: int, gateways: Sequence[int]) -> dict[str, str]:
    """What deploy/haproxy.cfg reads from the environment."""
    names = {f"GATEWAY_{n}": f"127.0.0.1:{each}" for n, each in enumerate(gateways, start=1)}
    return {"HAPROXY_BIND": f"127.0.0.1:{port}", **names}


class HaProxy:
    def __init__(self, folder: Path, gateways: Sequence[int]) -> None:
        self.port = free_port()
        command = [PROGRAM, "-db", "-f", str(CONFIGURATION)]
        self.program = Program("haproxy", command, folder, variables(self.port, gateways))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        await self.program.start()
        await until(lambda: listens(self.port), "HAProxy does not listen")
