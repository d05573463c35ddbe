"""Log batches: lines that follow each other are written together, and none is lost."""

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from gateway import log_format
from support.logged import logging_to
from support.wait import until

log = structlog.get_logger()


class Stream(io.StringIO):
    """Keeps each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[list[str]] = []

    def write(self, text: str) -> int:
        if self.closed:
            raise ValueError
        self.writes.append([json.loads(line)["event"] for line in text.splitlines()])
        return len(text)


@pytest.fixture
def stream() -> Iterator[Stream]:
    stream = Stream()
    with logging_to(stream):
        yield stream


async def test_the_first_line_is_written_at_once_and_the_next_ones_together(
    stream: Stream,
) -> None:
    for number in range(4):
        log.info(f"{number}")
    assert stream.writes == [["0"]]
    await until(lambda: len(stream.writes) > 1)
    assert stream.writes == [["0"], ["1", "2", "3"]]


@pytest.mark.parametrize("method", ["warning", "error", "critical"])
async def test_an_error_is_written_at_once_after_the_lines_before_it(
    stream: Stream, method: str
) -> None:
    log.info("0")
    log.info("1")
    getattr(log, method)("2")
    assert stream.writes == [["0"], ["1", "2"]]


@pytest.mark.parametrize("method", ["info", "error"])
async def test_a_log_that_cannot_be_written_fails_nothing(stream: Stream, method: str) -> None:
    stream.close()
    getattr(log, method)("0")
    log_format.flush()


def test_lines_outside_of_an_event_loop_are_written_at_once(stream: Stream) -> None:
    log.info("0")
    log.info("1")
    assert stream.writes == [["0"], ["1"]]


def test_a_loop_that_has_ended_delays_no_line_of_the_next_one(stream: Stream) -> None:
    async def logging_twice() -> None:
        log.info("0")
        log.info("1")

    asyncio.run(logging_twice())
    asyncio.run(logging_twice())
    assert stream.writes == [["0"], ["1", "0"]]


@pytest.mark.parametrize("end", ["raise ValueError", "sys.exit(3)", "pass"])
def test_no_line_is_lost_when_the_process_ends(end: str) -> None:
    program = f"""
import asyncio, sys
import structlog
from gateway import log_format
log_format.configure(True, "info")
log_format.guard_process()
async def main():
    for number in range(3):
        structlog.get_logger().info(str(number))
    {end}
asyncio.run(main())
"""
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert events[:3] == ["0", "1", "2"]
