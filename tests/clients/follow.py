"""All agent reports, resumed after interruptions: gql in Python."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from gql import Client, gql
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.websockets import WebsocketsTransport

HISTORY = """subscription History($after: String) {
  agentHistory(after: $after) { kind cursor reports { id agentKey status } }
}"""
PASSING = {
    "SERVICE_UNAVAILABLE",
    "DATABASE_READ_ONLY",
    "RATE_LIMITED",
    "TIMEOUT",
    "INTERNAL_SERVER_ERROR",
}


def connect(host: str, key: str) -> Client:
    transport = WebsocketsTransport(
        url=f"ws://{host}/graphql",
        init_payload={"authorization": f"Bearer {key}"},
        keep_alive_timeout=30,  # seconds without a message; a HEARTBEAT comes every 10
        close_timeout=1,
    )
    return Client(transport=transport)


async def follow(host: str, key: str, after: str | None = None) -> AsyncIterator[Any]:
    """Yield messages without end. Raises TransportQueryError if the operation is refused."""
    failures = 0
    while True:
        request = gql(HISTORY)
        request.variable_values = {"after": after}
        try:
            async with connect(host, key) as session:
                async for result in session.subscribe(request):
                    failures = 0
                    yield result["agentHistory"]
                    after = result["agentHistory"]["cursor"]
        except TransportQueryError as refused:
            if not PASSING & {error["extensions"]["code"] for error in refused.errors or []}:
                raise
        except (TransportError, OSError, TimeoutError):
            pass  # the gateway is down, or the connection broke
        wait = random.uniform(0, min(30, 0.5 * 2 ** min(failures, 6)))  # noqa: S311  no secret
        await asyncio.sleep(wait)
        failures += 1
