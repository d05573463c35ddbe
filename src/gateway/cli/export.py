"""Export: `dreamnet export`, to a file, to standard output or to S3."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

import orjson
import typer
from graphql import GraphQLError

from db import Database
from db.core.connections.url import ConnectionInfo
from db.core.errors import DomainError, Invalid
from db.core.query.filter import Condition
from db.core.values.rfc3339 import print_time, read_time
from db.exporter import NOUNS, Format, Part, Progress, chunks
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.export_rights import parsed
from gateway.process.database import migrated_url
from gateway.settings import Settings

STDOUT = "-"
S3 = "s3://"
PART_BYTES = 8 * 1024 * 1024  # of an object; S3 accepts 10,000 parts
NO_KEY = "Name an object of a bucket: s3://BUCKET/KEY."

Write = Callable[[AsyncGenerator[bytes, None]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export, and where to."""

    noun: str
    format: Format
    where: str | None
    to: str
    after: str | None
    until: str | None


def run(settings: Settings, wanted: Wanted) -> None:
    """Export rows, and print how many. Raises CommandFailed."""
    if wanted.noun not in NOUNS:
        raise _usage(f"There is no export {wanted.noun}. There are {', '.join(NOUNS)}.")
    progress = Progress()
    with migrated_url(settings) as url, _target(wanted.to) as write:
        until = asyncio.run(_export(url, settings, wanted, write, progress))
    last = f", the last one {progress.cursor}" if progress.cursor else ""
    typer.echo(
        f"Exported {progress.rows:,} {wanted.noun} until {print_time(until)}{last}.", err=True
    )


async def _export(
    url: ConnectionInfo, settings: Settings, wanted: Wanted, write: Write, progress: Progress
) -> datetime:
    condition, given = _condition(wanted), _time(wanted.until)
    database = Database(url, settings.pool_size)
    part = Part(condition, given or await database.now(), wanted.after)
    try:
        made = chunks(database, NOUNS[wanted.noun], wanted.format, part, progress)
        async with asyncio.timeout(settings.export_max_seconds), aclosing(made):
            await write(made)
    except Invalid as error:
        raise _usage(str(error)) from error
    except (DomainError, TimeoutError, OSError) as error:
        raise _stopped(error, progress, part) from error
    finally:
        await database.close()
    return part.until


def _stopped(error: Exception, progress: Progress, part: Part) -> CommandFailed:
    reason = str(error) or "it took longer than DREAMNET_EXPORT_MAX_SECONDS"
    more = ""
    if progress.cursor is not None:
        more = (
            f" Export the rest to another file with --after '{progress.cursor}' "
            f"--until {print_time(part.until)}."
        )
    return CommandFailed(
        f"The export stopped after {progress.rows:,} rows: {reason}.{more}", ExitCode.PROBLEMS
    )


def _condition(wanted: Wanted) -> Condition | None:
    try:
        return parsed(wanted.noun, None if wanted.where is None else orjson.loads(wanted.where))
    except orjson.JSONDecodeError as error:
        raise _usage(f"--where is not JSON: {error}.") from error
    except GraphQLError as error:
        raise _usage(f"--where is not a filter of {wanted.noun}: {error.message}") from error


def _time(text: str | None) -> datetime | None:
    try:
        return None if text is None else read_time(text)
    except ValueError as error:
        raise _usage("--until must be a time, such as 2026-11-20T09:30:00Z.") from error


@contextmanager
def _target(to: str) -> Iterator[Write]:
    """Writes a file or an object that appears under its name once it is whole."""
    if to == STDOUT:
        yield partial(_copy, sys.stdout.buffer)
    elif to.startswith(S3):
        bucket, _, key = to.removeprefix(S3).partition("/")
        if bucket == "" or key == "":
            raise _usage(NO_KEY)
        yield partial(upload, bucket, key)
    else:
        path, part = Path(to), Path(f"{to}.part")
        try:
            with part.open("wb") as file:
                yield partial(_copy, file)
            part.replace(path)
        except OSError as error:
            raise _usage(f"{to} cannot be written: {error.strerror or error}.") from error


async def _copy(file: BinaryIO, made: AsyncGenerator[bytes, None]) -> None:
    async for chunk in made:
        file.write(chunk)


async def upload(bucket: str, key: str, made: AsyncGenerator[bytes, None]) -> None:
    """Store an object of S3. If `made` fails, there is none. Raises OSError."""
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    try:
        store = S3Store(bucket)
        await store.put_async(key, made, chunk_size=PART_BYTES, max_concurrency=2)
    except BaseError as error:
        raise OSError(str(error).partition("\n\n")[0]) from error


def _usage(message: str) -> CommandFailed:
    return CommandFailed(message, ExitCode.USAGE)
