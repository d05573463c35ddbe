"""Inputs: filters and orders of AI tests, and the arguments of mutations on them."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.ai_tests import writes
from db.core.table import Row
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

DREAM, TEST = key_of(db.dreams.Dream), key_of(db.ai_tests.AiTest)


def non_null_columns(input: "DataclassInstance", *but: str) -> Row:
    return {name: sent for name, sent in provided_fields(input, *but).items() if sent is not None}


@filters(db.ai_tests.LISTING)
class AiTestFilter:
    """Filter conditions on AI tests. All given conditions must hold."""

    dream: Annotated["DreamFilter", strawberry.lazy("graph.dreams")] | None = relation(
        "The dream of the test matches this filter."
    )


@orders(db.ai_tests.LISTING)
class AiTestOrder:
    """Sort order for AI tests."""


@checked(db.ai_tests.AiTest)
@input_type
class StartAiTestInput:
    """The input fields to start an AI test."""

    dream_id: strawberry.ID = field("ID of the dream to test.", check=DREAM)
    provider: str = field("Provider of the model.")
    model: str = field("Name of the model, as its provider spells it.")
    parameters: JSON | None = field(
        "Parameters of the test, as free-form JSON.", column="test_parameters", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@checked(db.ai_tests.AiTest)
@input_type
class CompleteAiTestInput:
    """The input fields to complete a running AI test."""

    id: strawberry.ID = field("ID of the test.", check=TEST)
    impossibility_score: Number | None = field(
        "From 0 (the model did what the dream asks) to 100 (it failed entirely), rounded half "
        "up to two decimals. Omit if the response was not judged.",
        default=UNSET,
    )
    confidence: Number | None = field(
        "Confidence of the judge in the score, 0 to 100, rounded half up to two decimals.",
        default=UNSET,
    )
    reasoning: str | None = field("The judge's reasons for the score.", default=UNSET)
    duration_ms: BigInt | None = field(
        "Duration of the test in milliseconds, at most 10^13.",
        column="duration",
        default=UNSET,
    )
    tokens_used: BigInt | None = field(
        "Input and output tokens together, at most 10^12.", default=UNSET
    )
    cost: Decimal | None = field(
        "Cost in US dollars, below 10,000, rounded half up to six decimals. Computed from the "
        "tokens and the model's price if omitted.",
        default=UNSET,
    )


@checked(db.ai_tests.AiTest)
@input_type
class FailAiTestInput:
    """The input fields to fail a running AI test."""

    id: strawberry.ID = field("ID of the test.", check=TEST)
    reasoning: str | None = field("Why the test failed.", default=UNSET)
    duration_ms: BigInt | None = field(
        "Duration of the test in milliseconds, at most 10^13.",
        column="duration",
        default=UNSET,
    )
    tokens_used: BigInt | None = field(
        "Input and output tokens together, at most 10^12.", default=UNSET
    )
    cost: Decimal | None = field(
        "Cost in US dollars, below 10,000, rounded half up to six decimals. Computed from the "
        "tokens and the model's price if omitted.",
        default=UNSET,
    )


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
    impossibility_score: Number | None = field(
        "From 0 (the model did what the dream asks) to 100 (it failed entirely), rounded half "
        "up to two decimals. Omit if the response was not judged.",
        default=UNSET,
    )
    confidence: Number | None = field(
        "Confidence of the judge in the score, 0 to 100, rounded half up to two decimals.",
        default=UNSET,
    )
    reasoning: str | None = field("The judge's reasons for the score.", default=UNSET)
    duration_ms: BigInt | None = field(
        "Duration of the test in milliseconds, at most 10^13.",
        column="duration",
        default=UNSET,
    )
    tokens_used: BigInt | None = field(
        "Input and output tokens together, at most 10^12.", default=UNSET
    )
    cost: Decimal | None = field(
        "Cost in US dollars, below 10,000, rounded half up to six decimals. Computed from the "
        "tokens and the model's price if omitted.",
        default=UNSET,
    )
    parameters: JSON | None = field(
        "Parameters of the test, as free-form JSON.", column="test_parameters", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@input_type
class RecordAiTestsInput:
    """The input fields to record several AI tests that were run elsewhere."""

    tests: list[RecordAiTestInput] = batch("The tests. Each is stored on its own.", 500)
