"""Recording: store tests that were run elsewhere, one or many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import db
from db import WriteSession
from db.ai_tests import batch, writes
from db.ai_tests.batch import Recording, Recordings, Result
from db.core import errors
from db.core.session.clock import check_time
from db.core.values.validation import raise_if_invalid
from db.users import Role
from graph.ai_tests.inputs import RecordAiTestInput, non_null_columns
from graph.core.context import Info
from graph.core.execution.input_validation import faults_in
from graph.core.permission import scope
from graph.core.types.field import names_of
from graph.core.types.mutation import (
    audit_context,
    claim_of,
    create_idempotently,
    get_for_update,
    id_of_table,
)
from graph.core.types.unset import or_none

EXPECTED = (errors.NotFound, errors.Forbidden, errors.Invalid, errors.Conflict)
ANY_DREAM = scope("tests:write", role=Role.ADMIN)

Inputs = Mapping[int, RecordAiTestInput]  # by position


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one of several tests: its record, or the error that rejected it."""

    index: int
    result: Result


def check_may_test(info: Info, dream: db.dreams.Dream) -> db.dreams.Dream:
    principal = info.context.principal
    if not (principal.owns(dream.user_id) or principal.may(ANY_DREAM)):
        raise errors.Forbidden("Only the owner of a dream can test it.")
    return dream


async def lock_dream(info: Info, session: WriteSession, id: str) -> db.dreams.Dream:
    """Lock the dream with this global ID. Raises Invalid, NotFound, Forbidden."""
    dreams = db.dreams.Dream
    return check_may_test(info, await get_for_update(session, dreams, id_of_table(id, dreams)))


async def store_test(info: Info, input: RecordAiTestInput) -> db.ai_tests.AiTest:
    """Store a finished test. Raises Invalid, NotFound, Forbidden, Conflict."""
    user_id = info.context.principal.user_id

    async def record(session: WriteSession) -> db.ai_tests.AiTest:
        dream = await lock_dream(info, session, input.dream_id)
        return await writes.record(session, dream, user_id, **non_null_columns(input, "dream_id"))

    if (at := or_none(input.at)) is not None:
        await writes.ensure_partition(info.context.db, at)
    return await create_idempotently(info, db.ai_tests.AiTest, input, record)


async def store_tests(info: Info, tests: Sequence[RecordAiTestInput]) -> list[Outcome]:
    """Store finished tests; each is stored or rejected on its own. Tests that repeat a key follow
    after the others, one by one."""
    results: dict[int, Result] = {}
    first, repeated = _by_key(tests)
    recordings = await _recordings(info, first, results)
    times = {r.values["at"] for r in recordings.values() if "at" in r.values}
    await writes.ensure_partitions(info.context.db, times)
    results |= await _store(info, recordings)
    for index, test in repeated.items():
        results[index] = await _store_repeated(info, test)
    return [Outcome(index, _shown(results[index], index)) for index in range(len(tests))]


def _by_key(tests: Sequence[RecordAiTestInput]) -> tuple[Inputs, Inputs]:
    """The first test of each idempotency key and tests without one, and the others."""
    keys: set[str] = set()
    first: dict[int, RecordAiTestInput] = {}
    repeated: dict[int, RecordAiTestInput] = {}
    for index, test in enumerate(tests):
        key = or_none(test.idempotency_key)
        (first if key is None or key not in keys else repeated)[index] = test
        if key is not None:
            keys.add(key)
    return first, repeated


async def _recordings(info: Info, tests: Inputs, results: dict[int, Result]) -> Recordings:
    now = await info.context.db.now()
    recordings: dict[int, Recording] = {}
    for index, test in tests.items():
        try:
            recordings[index] = _recording(info, test, now)
        except EXPECTED as error:
            results[index] = error
    return recordings


def _recording(info: Info, test: RecordAiTestInput, now: datetime) -> Recording:
    """Raises Invalid."""
    raise_if_invalid(faults_in(test))
    if (at := or_none(test.at)) is not None:
        check_time(at, now, "at")
    key = or_none(test.idempotency_key)
    claim = None if key is None else claim_of(info, key, test)
    id = id_of_table(test.dream_id, db.dreams.Dream)
    return Recording(id, non_null_columns(test, "dream_id"), claim)


async def _store(info: Info, recordings: Recordings) -> dict[int, Result]:
    """Store tests in one transaction. If PostgreSQL refuses one, each half is stored apart."""
    if not recordings:
        return {}
    try:
        async with info.context.db.write(audit_context(info)) as session:
            user_id, check = info.context.principal.user_id, partial(check_may_test, info)
            return await batch.record(session, user_id, recordings, check)
    except EXPECTED as error:
        if len(recordings) == 1:
            return dict.fromkeys(recordings, error)
    results: dict[int, Result] = {}
    for half in _halves(recordings):
        results |= await _store(info, half)
    return results


def _halves(recordings: Recordings) -> Iterator[Recordings]:
    items = list(recordings.items())
    middle = len(items) // 2
    yield dict(items[:middle])
    yield dict(items[middle:])


async def _store_repeated(info: Info, test: RecordAiTestInput) -> Result:
    try:
        raise_if_invalid(faults_in(test))
        return await store_test(info, test)
    except EXPECTED as error:
        return error


def _shown(result: Result, index: int) -> Result:
    if isinstance(result, errors.DomainError):
        return result.renamed(names_of(RecordAiTestInput)).under(f"tests.{index}")
    return result
