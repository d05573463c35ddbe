"""Maintenance: each of its works once, in place of waiting for all of them."""

from db import Database
from gateway.maintenance import partitioning, schedules
from support.gateways import production


async def attempt_all(database: Database) -> dict[str, bool]:
    """Whether each work succeeded, by the text that is logged if it does not."""
    regular = [work for schedule in schedules(database, production()) for work in schedule.works]
    return {work.failure: await work.attempt() for work in (partitioning(database), *regular)}
