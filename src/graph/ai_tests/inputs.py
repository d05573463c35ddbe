"""Inputs: conditions on AI tests, and what is handed in about them."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from graph.ai_tests.types import AiTestStatus
from graph.core.field import field
from graph.core.filter import filters, orders, relation
from graph.core.mutation import given, idempotency_key, values
from graph.core.scalars import BigInt, Number

if TYPE_CHECKING:
    from graph.dreams import DreamFilter

COLUMNS = {"duration_ms": "duration", "parameters": "test_parameters"}


def columns(input: Any, *but: str) -> dict[str, Any]:
    """The columns that an input gives, by their names in the table; a null gives nothing."""
    sent = values(input, *but)
    return {COLUMNS.get(name, name): sent[name] for name in sent if sent[name] is not None}


@filters(db.ai_tests.LISTING)
class AiTestFilter:
    """Conditions on AI tests; all given must hold."""

    dream: Annotated["DreamFilter", strawberry.lazy("graph.dreams")] | None = relation(
        "The dream fulfils this."
    )


@orders(db.ai_tests.LISTING)
class AiTestOrder:
    """Order of AI tests."""


@given
class StartAiTestInput:
    """A test that begins now."""

    dream_id: strawberry.ID = field("The dream to be tried.")
    provider: str = field("Vendor of the model, in small letters, like `openai`.")
    model: str = field("Name of the model, as its vendor spells it, at most 200 characters.")
    parameters: JSON | None = field(
        "How the test is run, in your own terms: a JSON object.", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@given
class CompleteAiTestInput:
    """How a test under way went."""

    id: strawberry.ID = field("The test.")
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
        "How long the model took, in milliseconds, at most 10^13.", default=UNSET
    )
    tokens_used: BigInt | None = field(
        "Tokens of prompt and answer together, at most 10^12.", default=UNSET
    )
    cost: Decimal | None = field(
        "Cost in US dollars, below 10,000, rounded half up to six decimals; computed from the "
        "tokens and the price of the model if left out.",
        default=UNSET,
    )


@given
class FailAiTestInput:
    """How a test under way came to nothing."""

    id: strawberry.ID = field("The test.")
    reasoning: str | None = field("What went wrong.", default=UNSET)
    duration_ms: BigInt | None = field(
        "How long the model took, in milliseconds, at most 10^13.", default=UNSET
    )
    tokens_used: BigInt | None = field(
        "Tokens of prompt and answer together, at most 10^12.", default=UNSET
    )
    cost: Decimal | None = field(
        "Cost in US dollars, below 10,000, rounded half up to six decimals; computed from the "
        "tokens and the price of the model if left out.",
        default=UNSET,
    )


@given
class CancelAiTestInput:
    """A test that will not be carried out."""

    id: strawberry.ID = field("The test.")


@given
class RecordAiTestInput:
    """A test that was carried out elsewhere."""

    dream_id: strawberry.ID = field("The dream that was tried.")
    provider: str = field("Vendor of the model, in small letters, like `openai`.")
    model: str = field("Name of the model, as its vendor spells it, at most 200 characters.")
    status: AiTestStatus = field(
        "How it ended: COMPLETED, FAILED or CANCELLED.", default=AiTestStatus.COMPLETED
    )
    at: datetime | None = field(
        "When it was run, in the last ten years; now if left out. Its progress is put where it "
        "belongs in time.",
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
        "How long the model took, in milliseconds, at most 10^13.", default=UNSET
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
        "How the test was run, in your own terms: a JSON object.", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@given
class RecordAiTestsInput:
    """Tests that were carried out elsewhere."""

    tests: list[RecordAiTestInput] = field("The tests, at most 500; each is stored on its own.")
