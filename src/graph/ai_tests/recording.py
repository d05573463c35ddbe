"""Recording: store tests that were run elsewhere, one or many."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial

import db
from db import WriteSession
from db.ai_tests import writes
from db.ai_tests.batch import Recording, Recordings, Result
from db.ai_tests.bulk import Recorder
from db.core import errors, idempotency
from db.core.errors import FieldError
from db.core.session.clock import time_faults
from db.core.table import Row
from db.core.turns import Piecewise
from db.core.values.validation import field_errors, raise_if_invalid
from graph.ai_tests.inputs import RecordAiTestInput, non_null_columns
from graph.core.context import Info
from graph.core.execution.input_validation import faults_in
from graph.core.types.errors import EXPECTED
from graph.core.types.field import names_of
from graph.core.types.mutation import (
    audit_context,
    claim_of,
    create_idempotently,
    get_for_update,
    id_of_table,
)
from graph.core.types.unset import or_none
from graph.dreams.rights import may_test


def check_may_test(info: Info, dream: db.dreams.Dream) -> db.dreams.Dream:
    if not may_test(info.context.principal, dream.user_id):
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


async def store_tests(
    info: Info, tests: Sequence[RecordAiTestInput]
) -> tuple[list[db.ai_tests.AiTest | None], dict[int, errors.DomainError]]:
    """Store finished tests together; each is stored or refused on its own. Return their records,
    None for those that were refused, and the errors by position."""
    results: dict[int, Result] = {}
    recordings = await _recordings(info, tests, results)
    times = {r.values["at"] for r in recordings.values() if "at" in r.values}
    await writes.ensure_partitions(info.context.db, times)
    recorder = Recorder(info.context.principal.user_id, partial(check_may_test, info))
    results |= await recorder.record(info.context.db, audit_context(info), recordings)
    names = names_of(RecordAiTestInput)
    stored: list[db.ai_tests.AiTest | None] = []
    refused: dict[int, errors.DomainError] = {}
    for index in range(len(tests)):
        result = results[index]
        if isinstance(result, errors.DomainError):
            refused[index] = result.renamed(names)
            stored.append(None)
        else:
            stored.append(result)
    return stored, refused


async def _recordings(
    info: Info, tests: Sequence[RecordAiTestInput], results: dict[int, Result]
) -> Recordings:
    """The valid tests, by position; the errors of others are added to `results`."""
    now = await info.context.db.now()
    recordings: dict[int, Recording] = {}
    piecewise = Piecewise()
    for index, test in enumerate(tests):
        await piecewise.pause()
        try:
            recordings[index] = _recording(info, test, now)
        except EXPECTED as error:
            results[index] = error
    return recordings


def _recording(info: Info, test: RecordAiTestInput, now: datetime) -> Recording:
    """Raises Invalid."""
    values, key = non_null_columns(test, "dream_id"), or_none(test.idempotency_key)
    at = or_none(test.at)
    of_time = () if at is None else tuple(time_faults(at, now, "at"))
    try:
        id = id_of_table(test.dream_id, db.dreams.Dream)
        raise_if_invalid(_faults(values, key))
    except errors.Invalid:
        raise_if_invalid([*faults_in(test), *of_time])  # all that is wrong, by input fields
        raise
    raise_if_invalid(of_time)
    claim = None if key is None else claim_of(info, key, test)
    return Recording(id, values, claim)


def _faults(values: Row, key: str | None) -> Iterator[FieldError]:
    """What is wrong with a test: the same as `faults_in`, in a third of the time."""
    yield from field_errors(db.ai_tests.AiTest.checks, values)
    yield from writes.recording_errors(values)
    if key is not None:
        yield from idempotency.KEY.faults(key)
