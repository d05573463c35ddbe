"""Maintenance: periodic work on the database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TypeVar

import structlog

from db import Database, attachments, retention, rollups
from db.agents import reports
from db.ai_tests import claims, schedules
from db.alerts import evaluation
from db.api_keys import expiry as expiring
from db.attachments import DeleteFiles, no_files
from db.budgets import notices
from db.core import idempotency
from db.core.errors import Unavailable
from db.core.schema import expiry, partition
from db.notifications import mail
from db.progress import pending

DAY_SECONDS = 24 * 60 * 60
HOUR_SECONDS = 60 * 60
AGAIN_SECONDS = 60  # after a failure
ROLL_SECONDS = 10  # between two looks for periods that ended or changed
LOOK_SECONDS = 5  # between two checks for silent agents, expired claims, due schedules, late tests
ALERT_SECONDS = 5  # between two looks for alert rules that are due, each once a minute
BUDGET_SECONDS = 60  # between two comparisons of budgets with spending
FILES_SECONDS = 60  # between two looks for files to delete
GRACE_SECONDS = 3  # for work in progress at the stop
MESSAGE_SECONDS = 5  # between two looks for messages that are due
NOTICE_SECONDS = 10 * 60  # between two looks for keys that expire soon, and for expired mail
FOREVER: Mapping[str, timedelta] = {}

T = TypeVar("T")
Work = Callable[[], Awaitable[None]]
Archive = Callable[[Database], Awaitable[list[str] | None]]  # returns the names of months

log = structlog.get_logger()


@asynccontextmanager
async def run_maintenance(
    database: Database,
    keep: Mapping[str, timedelta] = FOREVER,
    keep_keys: timedelta = idempotency.RETENTION,
    delete_files: DeleteFiles = no_files,
    send_messages: Sequence[Work] = (),
    expiry_notice: timedelta = timedelta(),
    archive: Archive | None = None,
) -> AsyncIterator[None]:
    """Within the context, create partitions ahead, delete rows past their retention, `keep`,
    compact closed months and `archive` old ones once a day, delete idempotency keys older than
    `keep_keys` once an hour, keep the sums of rollups, correct progress logs after late tests, mark
    silent agents OFFLINE, end expired claims of tests, run their schedules, notify of budgets and
    of keys that expire within `expiry_notice`, evaluate alert rules, send messages, and delete the
    files of deleted attachments. Partitions are also created at the start, and months compacted an
    hour later."""
    worked = await partition_ahead(database)
    stopping = asyncio.Event()
    regular: tuple[tuple[float, Work], ...] = (
        (LOOK_SECONDS, partial(correct_progress, database)),
        (LOOK_SECONDS, partial(mark_agents_offline, database)),
        (LOOK_SECONDS, partial(end_expired_claims, database)),
        (LOOK_SECONDS, partial(run_due_schedules, database)),
        (BUDGET_SECONDS, partial(notify_of_budgets, database)),
        (ALERT_SECONDS, partial(evaluate_alert_rules, database)),
        *((MESSAGE_SECONDS, partial(deliver, send)) for send in send_messages),
        (NOTICE_SECONDS, partial(notify_of_expiry, database, expiry_notice)),
        (NOTICE_SECONDS, partial(remove_expired_mail, database)),
        (FILES_SECONDS, partial(delete_unused_files, database, delete_files)),
    )
    works = (
        _daily(database, keep, worked, stopping),
        _hourly(database, keep_keys, stopping),
        _compact_daily(database, archive, stopping),
        _roll_up(database, stopping),
        *(_every(seconds, work, stopping) for seconds, work in regular),
    )
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _daily(
    database: Database, keep: Mapping[str, timedelta], worked: bool, stopping: asyncio.Event
) -> None:
    while not stopping.is_set():
        worked = await expire(database, keep) and worked
        await _wait_or_stop(stopping, DAY_SECONDS if worked else AGAIN_SECONDS)
        worked = stopping.is_set() or await partition_ahead(database)


async def _compact_daily(
    database: Database, archive: Archive | None, stopping: asyncio.Event
) -> None:
    await _wait_or_stop(stopping, HOUR_SECONDS)
    while not stopping.is_set():
        worked = await compact_closed_months(database)
        worked = (archive is None or await archive_months(database, archive)) and worked
        await _wait_or_stop(stopping, DAY_SECONDS if worked else HOUR_SECONDS)


async def _hourly(database: Database, keep_keys: timedelta, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        worked = await remove_expired_keys(database, keep_keys)
        await _wait_or_stop(stopping, HOUR_SECONDS if worked else AGAIN_SECONDS)


async def _roll_up(database: Database, stopping: asyncio.Event) -> None:
    await _wait_or_stop(stopping, ROLL_SECONDS)
    while not stopping.is_set():
        worked = await roll_up(database)
        await _wait_or_stop(stopping, ROLL_SECONDS if worked else AGAIN_SECONDS)


async def _every(seconds: float, work: Work, stopping: asyncio.Event) -> None:
    """Not at once: agents, for example, can report to this process before they are silent."""
    await _wait_or_stop(stopping, seconds)
    while not stopping.is_set():
        await work()
        await _wait_or_stop(stopping, seconds)


async def _wait_or_stop(stopping: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


async def mark_agents_offline(database: Database) -> None:
    if gone := await _logging_failure(
        _mark_offline(database), "agents could not be marked offline"
    ):
        log.info("agents marked offline", count=gone)


async def _mark_offline(database: Database) -> int:
    await database.read_clock()
    return await reports.mark_offline(database)


async def end_expired_claims(database: Database) -> None:
    if ended := await _logging_failure(
        claims.end_expired(database), "expired claims of tests could not be ended"
    ):
        log.info("expired claims of tests ended", count=ended)


async def run_due_schedules(database: Database) -> None:
    if made := await _logging_failure(
        schedules.run_due(database), "schedules of tests could not be run"
    ):
        log.info("tests created by schedules", count=made)


async def notify_of_budgets(database: Database) -> None:
    if count := await _logging_failure(
        notices.notify(database), "budgets could not be compared with spending"
    ):
        log.info("budgets reached", count=count)


async def evaluate_alert_rules(database: Database) -> None:
    if count := await _logging_failure(
        evaluation.run_due(database), "alert rules could not be evaluated"
    ):
        log.info("alerts opened or closed", count=count)


async def notify_of_expiry(database: Database, ahead: timedelta) -> None:
    if ahead and (
        count := await _logging_failure(
            expiring.notify(database, ahead), "users could not be notified of keys that expire"
        )
    ):
        log.info("users notified of keys that expire", count=count)


async def remove_expired_mail(database: Database) -> None:
    if count := await _logging_failure(
        mail.remove_expired(database), "expired mail could not be removed"
    ):
        log.info("expired mail removed", count=count)


async def deliver(send_messages: Work) -> None:
    await _logging_failure(send_messages(), "messages could not be delivered")


async def delete_unused_files(database: Database, delete_files: DeleteFiles) -> None:
    if count := await _logging_failure(
        attachments.delete_files(database, delete_files), "files could not be deleted"
    ):
        log.info("files of attachments deleted", count=count)


async def partition_ahead(database: Database) -> bool:
    made = await _logging_failure(
        partition.ensure_ahead(database), "partitions could not be created"
    )
    if made:
        log.info("partitions created", count=len(made))
    return made is not None


async def expire(database: Database, keep: Mapping[str, timedelta]) -> bool:
    gone = await _logging_failure(
        retention.expire(database, keep), "expired rows could not be deleted"
    )
    if gone and any(gone.values()):
        log.info("expired rows deleted", **gone)
    return gone is not None


async def compact_closed_months(database: Database) -> bool:
    done = await _logging_failure(
        expiry.compact_closed(database), "closed months could not be compacted"
    )
    if done:
        log.info("closed months compacted", months=done)
    return done is not None


async def archive_months(database: Database, archive: Archive) -> bool:
    done = await _logging_failure(archive(database), "months could not be archived")
    if done:
        log.info("months archived", months=done)
    return done is not None


async def roll_up(database: Database) -> bool:
    done = await _logging_failure(rollups.roll(database), "rollups could not be computed")
    if done:
        log.info("rollups computed", **done)
    return done is not None


async def correct_progress(database: Database) -> None:
    if count := await _logging_failure(
        pending.work_off(database), "progress logs could not be corrected"
    ):
        log.info("progress logs corrected after late tests", count=count)


async def remove_expired_keys(
    database: Database, keep_keys: timedelta = idempotency.RETENTION
) -> bool:
    removed = await _logging_failure(
        idempotency.remove_expired(database, keep_keys),
        "expired idempotency keys could not be removed",
    )
    if removed:
        log.info("expired idempotency keys removed", count=removed)
    return removed is not None


async def _logging_failure(work: Awaitable[T], failure: str) -> T | None:
    """Await `work`. On failure, log it and return None so the schedule continues."""
    try:
        return await work
    except Unavailable as error:
        log.warning(failure, error=str(error))
    except Exception:
        log.exception(failure)
    return None
