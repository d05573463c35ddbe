"""Maintenance: periodic work on the database."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import structlog

from db import Database, attachments, retention, rollups
from db.agents import reports
from db.ai_tests import claims, schedules as test_schedules
from db.alerts import evaluation
from db.api_keys import expiry as key_expiry
from db.archive import archive
from db.attachments import DeleteFiles, no_files
from db.budgets import notices
from db.core import idempotency
from db.core.schema import expiry, partition
from db.notifications import mail
from db.progress import pending
from gateway.archive.store import files
from gateway.outboxes import Outbox
from gateway.periodic import Schedule, Work, running
from gateway.settings import Settings

DAY_SECONDS = 24 * 60 * 60
HOUR_SECONDS = 60 * 60
AGAIN_SECONDS = 60  # after a failure
ROLL_SECONDS = 10  # between two looks for periods that ended or changed
LOOK_SECONDS = 5  # between two checks for silent agents, expired claims, due schedules, late tests
ALERT_SECONDS = 5  # between two looks for alert rules that are due, each once a minute
BUDGET_SECONDS = 60  # between two comparisons of budgets with spending
FILES_SECONDS = 60  # between two looks for files to delete
MESSAGE_SECONDS = 5  # between two looks for messages that are due
NOTICE_SECONDS = 10 * 60  # between two looks for keys that expire soon, and for expired mail

Counted = Callable[[], Awaitable[int]]  # returns the number of rows

log = structlog.get_logger()


@asynccontextmanager
async def run_maintenance(
    database: Database,
    settings: Settings,
    delete_files: DeleteFiles = no_files,
    outboxes: Sequence[Outbox] = (),
) -> AsyncIterator[None]:
    """Within the context, do each work when it is due. Partitions are created before."""
    partitions = partitioning(database)
    first = DAY_SECONDS if await partitions.attempt() else AGAIN_SECONDS
    ahead = Schedule(DAY_SECONDS, [partitions], first, retry=AGAIN_SECONDS)
    async with running([ahead, *schedules(database, settings, delete_files, outboxes)]):
        yield


def schedules(
    database: Database,
    settings: Settings,
    delete_files: DeleteFiles = no_files,
    outboxes: Sequence[Outbox] = (),
) -> list[Schedule]:
    """All but the creation of partitions."""
    delete_unused = partial(attachments.delete_files, database, delete_files)
    return [
        _expiring(database, settings),
        _closing_months(database, settings),
        _removing_keys(database, settings),
        *_frequent(database),
        *_noticing(database, settings),
        _every(
            FILES_SECONDS,
            delete_unused,
            "files of attachments deleted",
            "files could not be deleted",
        ),
        *(
            Schedule(MESSAGE_SECONDS, [Work(each.send_due, "messages could not be delivered")])
            for each in outboxes
        ),
    ]


def partitioning(database: Database) -> Work:
    return Work(partial(_partition_ahead, database), "partitions could not be created")


def _expiring(database: Database, settings: Settings) -> Schedule:
    expiration = Work(
        partial(_expire, database, settings.keep), "expired rows could not be deleted"
    )
    return Schedule(DAY_SECONDS, [expiration], first=0, retry=AGAIN_SECONDS)


def _closing_months(database: Database, settings: Settings) -> Schedule:
    """One after the other: each needs the turn of this process, and waits a day without it."""
    works = [Work(partial(_compact, database), "closed months could not be compacted")]
    if settings.archive_after:
        works.append(Work(partial(_archive, database, settings), "months could not be archived"))
    return Schedule(DAY_SECONDS, works, first=HOUR_SECONDS, retry=HOUR_SECONDS)


def _removing_keys(database: Database, settings: Settings) -> Schedule:
    removal = _counting(
        partial(idempotency.remove_expired, database, settings.keep_keys),
        "expired idempotency keys removed",
        "expired idempotency keys could not be removed",
    )
    return Schedule(HOUR_SECONDS, [removal], first=0, retry=AGAIN_SECONDS)


def _frequent(database: Database) -> list[Schedule]:
    """Not at the start: agents, for example, can report to this process before they are silent."""
    rollup = Work(partial(_roll_up, database), "rollups could not be computed")
    return [
        Schedule(ROLL_SECONDS, [rollup], retry=AGAIN_SECONDS),
        _every(
            LOOK_SECONDS,
            partial(pending.work_off, database),
            "progress logs corrected after late tests",
            "progress logs could not be corrected",
        ),
        _every(
            LOOK_SECONDS,
            partial(mark_agents_offline, database),
            "agents marked offline",
            "agents could not be marked offline",
        ),
        _every(
            LOOK_SECONDS,
            partial(claims.end_expired, database),
            "expired claims of tests ended",
            "expired claims of tests could not be ended",
        ),
        _every(
            LOOK_SECONDS,
            partial(test_schedules.run_due, database),
            "tests created by schedules",
            "schedules of tests could not be run",
        ),
    ]


def _noticing(database: Database, settings: Settings) -> list[Schedule]:
    """Notifications of budgets, alerts and keys, and their mail."""
    found = [
        _every(
            BUDGET_SECONDS,
            partial(notices.notify, database),
            "budgets reached",
            "budgets could not be compared with spending",
        ),
        _every(
            ALERT_SECONDS,
            partial(evaluation.run_due, database),
            "alerts opened or closed",
            "alert rules could not be evaluated",
        ),
        _every(
            NOTICE_SECONDS,
            partial(mail.remove_expired, database),
            "expired mail removed",
            "expired mail could not be removed",
        ),
    ]
    if (ahead := settings.key_expiry_notice) > timedelta():
        found.append(
            _every(
                NOTICE_SECONDS,
                partial(key_expiry.notify, database, ahead),
                "users notified of keys that expire",
                "users could not be notified of keys that expire",
            )
        )
    return found


def _every(seconds: float, run: Counted, done: str, failure: str) -> Schedule:
    return Schedule(seconds, [_counting(run, done, failure)])


def _counting(run: Counted, done: str, failure: str) -> Work:
    """Log how many rows there were, if any."""

    async def counting() -> None:
        if count := await run():
            log.info(done, count=count)

    return Work(counting, failure)


async def _partition_ahead(database: Database) -> None:
    if made := await partition.ensure_ahead(database):
        log.info("partitions created", count=len(made))


async def _expire(database: Database, keep: Mapping[str, timedelta]) -> None:
    gone = await retention.expire(database, keep)
    if any(gone.values()):
        log.info("expired rows deleted", **gone)


async def _compact(database: Database) -> None:
    if done := await expiry.compact_closed(database):
        log.info("closed months compacted", months=done)


async def _archive(database: Database, settings: Settings) -> None:
    if done := await archive(database, files(settings), settings.archive_after):
        log.info("months archived", months=done)


async def _roll_up(database: Database) -> None:
    if done := await rollups.roll(database):
        log.info("rollups computed", **done)


async def mark_agents_offline(database: Database) -> int:
    await database.read_clock()
    return await reports.mark_offline(database)
