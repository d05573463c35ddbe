"""Failures: the owner of a dream, and who asked for a test, are notified when it fails."""

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from uuid import UUID

from db.ai_tests import AiTest, AiTestStatus
from db.core.session.database import WriteSession
from db.core.table import Row
from db.dreams import Dream
from db.notifications import TEST_FAILED, others, send_all


async def notify(
    session: WriteSession, dreams: Mapping[UUID, Dream], tests: Collection[AiTest]
) -> None:
    """Send one notification for the failed tests of a dream to each user, but the one who acts."""
    failed = [test for test in tests if test.status == AiTestStatus.FAILED]
    by_dream = groupby(sorted(failed, key=_place), key=lambda test: test.dream_id)
    messages = [
        {"user_id": user_id, **message}
        for dream_id, of_dream in by_dream
        for user_id, message in _messages(session, dreams[dream_id], list(of_dream))
    ]
    await send_all(session, messages)


def _place(test: AiTest) -> tuple[UUID, UUID]:
    return test.dream_id, test.id


def _messages(
    session: WriteSession, dream: Dream, tests: list[AiTest]
) -> Iterable[tuple[UUID, Row]]:
    for user_id in others(session, dream.user_id, *(test.user_id for test in tests)):
        concerned = [test for test in tests if user_id in (dream.user_id, test.user_id)]
        yield user_id, _message(dream, concerned)


def _message(dream: Dream, tests: list[AiTest]) -> Row:
    count = len(tests)
    which = "A test" if count == 1 else f"{count:,} tests"
    more = {} if count == 1 else {"count": count}
    return {
        "kind": TEST_FAILED,
        "title": f"{which} of “{dream.title}” failed",
        "payload": {"dreamId": str(dream.id), "testId": str(tests[0].id), **more},
    }
