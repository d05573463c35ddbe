"""Log format: log lines of the gateway and of libraries in one format, without clients' values.

An exception is shown by its type, its facts and its traceback, never by its message. The message of
a library is shown without its arguments.
"""

import logging
import re
import sys
import threading
import warnings
from types import TracebackType
from typing import TextIO

import structlog

from db.core.error_facts import rendered, summary
from gateway.log_batches import BatchHandler
from gateway.log_context import current_record

CHATTY = ("uvicorn", "uvicorn.error", "alembic", "asyncio", "websockets", "httpx2", "httpcore2")
# Where the message of a library may begin to quote: a line of its own, brackets, quotation marks.
_QUOTES = re.compile(r"[\n<(\[{'\"`].*", re.DOTALL)

MAX_DETAIL = 1_000  # characters

log = structlog.get_logger()


def configure(as_json: bool, level: str) -> None:
    """Make structlog and the standard library write the same format to standard error."""
    structlog.configure(
        processors=[*_details(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = BatchHandler(sys.stderr)
    handler.setFormatter(_formatter(as_json))
    logging.root.handlers = [handler]
    logging.root.setLevel(level.upper())
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def flush() -> None:
    for handler in logging.root.handlers:
        handler.flush()


def guard_process() -> None:
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    warnings.showwarning = _show_warning


def _uncaught(
    kind: type[BaseException], error: BaseException | None, _: TracebackType | None
) -> None:
    log.critical("uncaught exception", exc_info=error or kind())


def _show_warning(
    message: Warning | str,  # noqa: ARG001  the signature of the standard library
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001  the signature of the standard library
    line: str | None = None,  # noqa: ARG001  the signature of the standard library
) -> None:
    log.warning("warning", category=category.__name__, file=filename, line=lineno)


def _details() -> list[structlog.typing.Processor]:
    return [
        _of_request,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _of_request(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The details of the request that the task serves, unless the line is about another one."""
    record = current_record.get()
    if record is None or event.get("request_id", record.request_id) != record.request_id:
        return event
    return {**record.facts, **event}


def _formatter(as_json: bool) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_library_message, *_details()],
        use_get_message=False,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.ExceptionRenderer(_exception),
            _summarized,
            _bounded,
            structlog.processors.JSONRenderer() if as_json else _console(),
        ],
    )


def _console() -> structlog.dev.ConsoleRenderer:
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)


def _exception(exc_info: structlog.typing.ExcInfo) -> str:
    return rendered(exc_info[1])


def _summarized(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {k: summary(v) if isinstance(v, BaseException) else v for k, v in event.items()}


def _bounded(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Details whose length clients decide, such as the name of an operation, are cut."""
    return {k: v if k == "exception" else _cut(v) for k, v in event.items()}


def _cut(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_DETAIL:
        return f"{value[: MAX_DETAIL - 1]}…"
    return value


def _library_message(
    _: object, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The message of a library without its arguments, and the name of its logger."""
    record: logging.LogRecord = event["_record"]
    template = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
    return {**event, "event": _QUOTES.sub("", template).strip(), "logger": record.name}
