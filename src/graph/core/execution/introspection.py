"""Introspection: cached results about the schema, the same for all permitted callers.

They take tens of milliseconds of Python, so they are computed in a thread, one at a time, and
cached as JSON. Access is checked before (`required_access`).
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from graphql import FieldNode, GraphQLSchema

from db.core.cache import Cache
from db.core.values import json

FIELDS = ("__schema", "__type")
CACHED_BYTES = 16 * 1024 * 1024

_cached: Cache[bytes, bytes] = Cache(CACHED_BYTES, len)
_running: dict[bytes, Future[bytes]] = {}
_thread = ThreadPoolExecutor(1, "introspection")


async def result(name: bytes, execute: Callable[[], object]) -> bytes:
    """The value of a root field as JSON, from the cache or by `execute`. Raises the exception of
    `execute`."""
    if (known := _cached.get(name)) is not None:
        return known
    if (running := _running.get(name)) is None:
        running = _running[name] = _thread.submit(lambda: json.dumps(execute()))
        running.add_done_callback(lambda _: _running.pop(name, None))  # at once, if it is done
    made = await asyncio.shield(asyncio.wrap_future(running))
    _cached[name] = made
    return made


def cache_key(
    schema: GraphQLSchema, nodes: Sequence[FieldNode], variables: Mapping[str, object]
) -> bytes:
    places = [(node.loc.start, node.loc.end) for node in nodes if node.loc]
    text = nodes[0].loc.source.body if nodes[0].loc else ""
    given = json.dumps(dict(variables), str)
    head = f"{id(schema)} {places} {len(text)} {text} ".encode()
    return hashlib.sha256(head + given).digest()
