"""Inputs: filters and orders of AI tests, and the arguments of mutations on them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.ai_tests import writes
from db.ai_tests.claims import LEASES
from db.core.errors import FieldError
from db.core.table import Row
from db.core.values import validation
from graph.ai_tests.types import AiTestStatus
from graph.core.types.field import checked, field, flat
from graph.core.types.filter import filters, orders, relation
from graph.core.types.ingestion import TIME, batch
from graph.core.types.mutation import idempotency_key, input_type, provided_fields
from graph.core.types.node import key_of
from graph.core.types.scalars import BigInt, Number

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from graph.dreams import DreamFilter

SCORE = (
    "From 0 (the model did what the dream asks) to 100 (it failed entirely), rounded half up to "
    "two decimals. Omit if the response was not judged."
)
CONFIDENCE = "Confidence of the judge in the score, 0 to 100, rounded half up to two decimals."
REASONS = "The judge's reasons for the score."
DURATION = "Duration of the test in milliseconds, at most 10^13."
TOKENS = "Input and output tokens together, at most 10^12."
COST = (
    "Cost in US dollars, below 10,000, rounded half up to six decimals. Computed from the tokens "
    "and the model's price if omitted."
)

DREAM, TEST = key_of(db.dreams.Dream), key_of(db.ai_tests.AiTest)


def non_null_columns(input: "DataclassInstance", *but: str) -> Row:
    return {name: sent for name, sent in provided_fields(input, *but).items() if sent is not None}


def _wrong_claim(text: str) -> str | None:
    return None if parsed_claim(text) else "This is not the ID of a claim."


def parsed_claim(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == UUID_LENGTH else None
    except ValueError:
        return None


UUID_LENGTH = len(str(UUID(int=0)))
CLAIM_ID = validation.single("", _wrong_claim)
LEASE_SAID = f"Seconds until the claim ends unless it is extended, {LEASES[0]} to {LEASES[1]:,}."


def claim_id() -> strawberry.ID | None:
    made: strawberry.ID | None = field(
        "ID of the claim under which the caller runs the test. Required for a test of the work "
        "queue.",
        check=CLAIM_ID,
        default=UNSET,
    )
    return made


@filters(db.ai_tests.LISTING)
class AiTestFilter:
    """Filter conditions on AI tests. All given conditions must hold."""

    dream: Annotated["DreamFilter", strawberry.lazy("graph.dreams")] | None = relation(
        "The dream of the test matches this filter."
    )


@orders(db.ai_tests.LISTING)
class AiTestOrder:
    """Sort order for AI tests."""


def queue_errors(values: Mapping[str, object]) -> Iterator[FieldError]:
    if values.get("queue") is True and values.get("lease_seconds") is not None:
        yield FieldError("A test that is put into the queue has no lease.", "lease_seconds")


@checked(db.ai_tests.AiTest, queue_errors)
@input_type
class StartAiTestInput:
    """The input fields to start an AI test."""

    dream_id: strawberry.ID = field("ID of the dream to test.", check=DREAM)
    provider: str = field("Provider of the model.")
    model: str = field("Name of the model, as its provider spells it.")
    parameters: JSON | None = field(
        "Parameters of the test, as free-form JSON.", column="test_parameters", default=UNSET
    )
    queue: bool | None = field(
        "Put the test into the work queue: it is PENDING until a worker claims it. Otherwise it is "
        "RUNNING, and the caller runs it.",
        default=UNSET,
    )
    lease_seconds: int | None = field(
        f"Run the test under a claim. {LEASE_SAID} If the claim ends before the test does, the "
        "test is put into the work queue. Without it, the test stays RUNNING until it is ended.",
        check=validation.within(*LEASES),
        default=UNSET,
    )
    max_attempts: int | None = field(
        "In the work queue: the number of attempts after which the test is FAILED, 1 to 20; 3 if "
        "omitted.",
        check=db.queue.QueuedAiTest.checks["max_attempts"],
        default=UNSET,
    )
    idempotency_key: str | None = idempotency_key()


@checked(db.ai_tests.AiTest)
@input_type
class CompleteAiTestInput:
    """The input fields to complete a running AI test."""

    id: strawberry.ID = field("ID of the test.", check=TEST)
    claim_id: strawberry.ID | None = claim_id()
    impossibility_score: Number | None = field(SCORE, default=UNSET)
    confidence: Number | None = field(CONFIDENCE, default=UNSET)
    reasoning: str | None = field(REASONS, default=UNSET)
    duration_ms: BigInt | None = field(DURATION, column="duration", default=UNSET)
    tokens_used: BigInt | None = field(TOKENS, default=UNSET)
    cost: Decimal | None = field(COST, default=UNSET)


@checked(db.ai_tests.AiTest)
@input_type
class FailAiTestInput:
    """The input fields to fail a running AI test."""

    id: strawberry.ID = field("ID of the test.", check=TEST)
    claim_id: strawberry.ID | None = claim_id()
    reasoning: str | None = field("Why the test failed.", default=UNSET)
    duration_ms: BigInt | None = field(DURATION, column="duration", default=UNSET)
    tokens_used: BigInt | None = field(TOKENS, default=UNSET)
    cost: Decimal | None = field(COST, default=UNSET)


@input_type
class CancelAiTestInput:
    """The input fields to cancel an AI test."""

    id: strawberry.ID = field("ID of the test.", check=TEST)


@checked(db.ai_tests.AiTest, writes.recording_errors)
@flat
@input_type
class RecordAiTestInput:
    """The input fields to record an AI test that was run elsewhere."""

    dream_id: strawberry.ID = field("ID of the dream that was tested.", check=DREAM)
    provider: str = field("Provider of the model.")
    model: str = field("Name of the model, as its provider spells it.")
    status: AiTestStatus = field(
        "Final status: COMPLETED, FAILED or CANCELLED.", default=AiTestStatus.COMPLETED
    )
    at: datetime | None = field(
        f"When the test was run. {TIME} Progress is recalculated from that time on.",
        default=UNSET,
    )
    impossibility_score: Number | None = field(SCORE, default=UNSET)
    confidence: Number | None = field(CONFIDENCE, default=UNSET)
    reasoning: str | None = field(REASONS, default=UNSET)
    duration_ms: BigInt | None = field(DURATION, column="duration", default=UNSET)
    tokens_used: BigInt | None = field(TOKENS, default=UNSET)
    cost: Decimal | None = field(COST, default=UNSET)
    parameters: JSON | None = field(
        "Parameters of the test, as free-form JSON.", column="test_parameters", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@input_type
class RecordAiTestsInput:
    """The input fields to record several AI tests that were run elsewhere."""

    tests: list[RecordAiTestInput] = batch("The tests. Each is stored on its own.", 500)
