"""Inputs: conditions on AI tests, and what is handed in about them."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.ai_tests import writes
from graph.ai_tests.types import AiTestStatus
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders, relation
from graph.core.types.ingestion import TIME, batch
from graph.core.types.mutation import idempotency_key, input_type, provided_fields
from graph.core.types.node import key_of
from graph.core.types.scalars import BigInt, Number

if TYPE_CHECKING:
    from graph.dreams import DreamFilter

DREAM, TEST = key_of(db.dreams.Dream), key_of(db.ai_tests.AiTest)


def columns(input: Any, *but: str) -> dict[str, Any]:
    """The columns that an input gives; a null gives nothing."""
    return {name: sent for name, sent in provided_fields(input, *but).items() if sent is not None}


@filters(db.ai_tests.LISTING)
class AiTestFilter:
    """Conditions on AI tests; all given must hold."""

    dream: Annotated["DreamFilter", strawberry.lazy("graph.dreams")] | None = relation(
        "The dream fulfils this."
    )


@orders(db.ai_tests.LISTING)
class AiTestOrder:
    """Order of AI tests."""


@checked(db.ai_tests.AiTest)
@input_type
class StartAiTestInput:
    """A test that begins now."""

    dream_id: strawberry.ID = field("The dream to be tried.", check=DREAM)
    provider: str = field("Vendor of the model.")
    model: str = field("Name of the model, as its vendor spells it.")
    parameters: JSON | None = field(
        "How the test is run, in your own terms.", column="test_parameters", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@checked(db.ai_tests.AiTest)
@input_type
class CompleteAiTestInput:
    """How a test under way went."""

    id: strawberry.ID = field("The test.", check=TEST)
    impossibility_score: Number | None = field(
        "0 when the model did what was dreamt of, 100 when it failed altogether, rounded half up "
        "to two decimals; leave it out when nobody judged the answer.",
        default=UNSET,
    )
    confidence: Number | None = field(
        "How sure the judge is of the score, 0 to 100, rounded half up to two decimals.",
        default=UNSET,
    )
    reasoning: str | None = field("Why the judge gives that score.", default=UNSET)
    duration_ms: BigInt | None = field(
        "How long the model took, in milliseconds, at most 10^13.",
        column="duration",
        default=UNSET,
    )
    tokens_used: BigInt | None = field(
        "Tokens of prompt and answer together, at most 10^12.", default=UNSET
    )
    cost: Decimal | None = field(
        "Cost in US dollars, below 10,000, rounded half up to six decimals; computed from the "
        "tokens and the price of the model if left out.",
        default=UNSET,
    )


@checked(db.ai_tests.AiTest)
@input_type
class FailAiTestInput:
    """How a test under way came to nothing."""

    id: strawberry.ID = field("The test.", check=TEST)
    reasoning: str | None = field("What went wrong.", default=UNSET)
    duration_ms: BigInt | None = field(
        "How long the model took, in milliseconds, at most 10^13.",
        column="duration",
        default=UNSET,
    )
    tokens_used: BigInt | None = field(
        "Tokens of prompt and answer together, at most 10^12.", default=UNSET
    )
    cost: Decimal | None = field(
        "Cost in US dollars, below 10,000, rounded half up to six decimals; computed from the "
        "tokens and the price of the model if left out.",
        default=UNSET,
    )


@input_type
class CancelAiTestInput:
    """A test that will not be carried out."""

    id: strawberry.ID = field("The test.", check=TEST)


@checked(db.ai_tests.AiTest, writes.ended)
@input_type
class RecordAiTestInput:
    """A test that was carried out elsewhere."""

    dream_id: strawberry.ID = field("The dream that was tried.", check=DREAM)
    provider: str = field("Vendor of the model.")
    model: str = field("Name of the model, as its vendor spells it.")
    status: AiTestStatus = field(
        "How it ended: COMPLETED, FAILED or CANCELLED.", default=AiTestStatus.COMPLETED
    )
    at: datetime | None = field(
        f"When it was run. {TIME} Its progress is put where it belongs in time.",
        default=UNSET,
    )
    impossibility_score: Number | None = field(
        "0 when the model did what was dreamt of, 100 when it failed altogether, rounded half up "
        "to two decimals; leave it out when nobody judged the answer.",
        default=UNSET,
    )
    confidence: Number | None = field(
        "How sure the judge is of the score, 0 to 100, rounded half up to two decimals.",
        default=UNSET,
    )
    reasoning: str | None = field("Why the judge gives that score.", default=UNSET)
    duration_ms: BigInt | None = field(
        "How long the model took, in milliseconds, at most 10^13.",
        column="duration",
        default=UNSET,
    )
    tokens_used: BigInt | None = field(
        "Tokens of prompt and answer together, at most 10^12.", default=UNSET
    )
    cost: Decimal | None = field(
        "Cost in US dollars, below 10,000, rounded half up to six decimals; computed from the "
        "tokens and the price of the model if left out.",
        default=UNSET,
    )
    parameters: JSON | None = field(
        "How the test was run, in your own terms.", column="test_parameters", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@input_type
class RecordAiTestsInput:
    """Tests that were carried out elsewhere."""

    tests: list[RecordAiTestInput] = batch("The tests; each is stored on its own.", 500)
