"""Slow clients: those that read too little are disconnected, slow ones are not."""

import asyncio
import socket

import pytest

from gateway.protocols.slow_clients import LEAST, SlowClientDetector


class Buffer(asyncio.Transport):
    """What waits to be sent."""

    size = 3 * LEAST

    def get_write_buffer_size(self) -> int:
        return self.size


@pytest.mark.parametrize(
    ("sizes", "stays"),
    [
        ([3 * LEAST], False),
        ([2 * LEAST + 1], False),
        ([2 * LEAST], True),
        ([2 * LEAST, LEAST, 0], True),
        ([2 * LEAST, LEAST + 1], False),
        ([4 * LEAST], True),
        ([4 * LEAST, 4 * LEAST], False),
    ],
    ids=["nothing", "too little", "enough", "always", "at first", "more came", "then nothing went"],
)
async def test_progress_of_a_slow_client(sizes: list[int], stays: bool) -> None:
    gone: list[str] = []
    buffer = Buffer()
    pace = SlowClientDetector(buffer, lambda: gone.append("gone"))
    pace.begin()
    for buffer.size in sizes:
        pace.look()
    pace.end()
    assert gone == ([] if stays else ["gone"])


async def test_without_a_transport_time_alone_counts() -> None:
    gone: list[str] = []
    SlowClientDetector(None, lambda: gone.append("gone")).look()
    assert gone == ["gone"]


async def test_a_connection_that_was_closed_holds_nothing() -> None:
    gone: list[str] = []
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=ours)
    with theirs:
        writer.close()
        await writer.wait_closed()
    pace = SlowClientDetector(writer.transport, lambda: gone.append("gone"))
    pace.begin()
    pace.look()
    pace.end()
    assert gone == ["gone"]
