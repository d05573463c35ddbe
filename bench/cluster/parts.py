"""Parts: what is killed, and when it is back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cluster.world import World

DOWN_SECONDS = 0.5  # that a part without a supervisor of its own stays away

Action = Callable[[World], Awaitable[None]]


@dataclass(frozen=True)
class Part:
    """`kill` ends it, and `back` returns when it serves again. Failures must end one second after
    the kill, or, `without` which no gateway can answer, one second after it is back."""

    name: str
    kill: Action
    back: Action
    without: bool = False
    failures: bool = True  # or nothing may fail at all
    resets: bool = False  # whether subscribers may be reset


async def _kill_worker(world: World) -> None:
    world.gateways[0].kill_worker()


async def _worker_back(world: World) -> None:
    await world.gateways[0].ready()


async def _kill_gateway(world: World) -> None:
    await world.gateways[1].kill()


async def _gateway_back(world: World) -> None:
    await asyncio.sleep(DOWN_SECONDS)
    await world.gateways[1].start()
    await world.gateways[1].ready()


async def _kill_pgbouncer(world: World) -> None:
    await world.pgbouncer.program.kill()


async def _pgbouncer_back(world: World) -> None:
    await asyncio.sleep(DOWN_SECONDS)
    await world.pgbouncer.again()


async def _kill_valkey(world: World) -> None:
    await asyncio.to_thread(world.valkey.kill)


async def _valkey_back(world: World) -> None:
    await asyncio.sleep(4 * DOWN_SECONDS)  # long enough to spend without it
    await asyncio.to_thread(world.valkey.start)


async def _kill_primary(world: World) -> None:
    world.postgres.kill(world.postgres.primary.server)


async def _primary_back(world: World) -> None:
    await world.postgres.is_back(world.postgres.primary.server)


async def _kill_standby(world: World) -> None:
    world.postgres.kill(world.postgres.standby)


async def _standby_back(world: World) -> None:
    await world.postgres.is_back(world.postgres.standby)


async def _fail_over(world: World) -> None:
    await world.postgres.promote()


async def _failed_over(world: World) -> None:
    world.pgbouncer.lead_to(world.postgres.current.sockets)


async def _at_once(world: World) -> None:
    """Nothing to wait for."""


async def _replace_workers(world: World) -> None:
    await world.gateways[0].replace_workers()


async def _mix_versions(world: World) -> None:
    await world.use_previous_version()


async def _restart_gateways(world: World) -> None:
    await world.restart_one_after_the_other()


PARTS = (
    Part("a worker", _kill_worker, _worker_back),
    Part("a gateway", _kill_gateway, _gateway_back),
    Part("Valkey", _kill_valkey, _valkey_back, failures=False),
    Part("PgBouncer", _kill_pgbouncer, _pgbouncer_back, without=True),
    Part("the standby", _kill_standby, _standby_back, without=True),
    Part("the primary", _kill_primary, _primary_back, without=True),
    Part("upgrade by SIGHUP", _replace_workers, _at_once, failures=False),
    Part("mixed versions", _mix_versions, _at_once, failures=False),
    Part("upgrade by restart", _restart_gateways, _at_once, failures=False),
    Part("failover to the standby", _fail_over, _failed_over, without=True, resets=True),
)
