"""Logged: the log of a gateway, as in production, written to a stream of a test."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from gateway import log_format


@contextmanager
def logging_to(stream: io.StringIO) -> Iterator[None]:
    """Write lines of JSON to a stream, and restore the log afterwards."""
    handlers, level = logging.root.handlers, logging.root.level
    log_format.configure(as_json=True, level="info")
    (handler,) = logging.root.handlers
    handler.setStream(stream)  # type: ignore[attr-defined]  # it is a StreamHandler
    try:
        yield
    finally:
        logging.root.handlers = handlers
        logging.root.setLevel(level)
        structlog.reset_defaults()
