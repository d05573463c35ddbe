"""Inputs: filters and orders of dreams, and the arguments of mutations on them."""

from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET, Maybe

import db
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders, relation
from graph.core.types.mutation import idempotency_key, input_type
from graph.core.types.node import key_of
from graph.dreams.types import DreamCategory, DreamStatus

if TYPE_CHECKING:
    from graph.ai_tests import AiTestFilter

DREAM = key_of(db.dreams.Dream)


@filters(db.dreams.LISTING)
class DreamFilter:
    """Filter conditions on dreams. All given conditions must hold."""

    tests: Annotated["AiTestFilter", strawberry.lazy("graph.ai_tests")] | None = relation(
        "At least one test of the dream matches this filter."
    )


@orders(db.dreams.LISTING)
class DreamOrder:
    """Sort order for dreams."""


@checked(db.dreams.Dream)
@input_type
class CreateDreamInput:
    """The input fields to create a dream."""

    title: str = field("Title of the dream.")
    description: str | None = field("Description of what a good response must do.", default=UNSET)
    original_prompt: str | None = field("The prompt that models are given.", default=UNSET)
    category: DreamCategory = field(
        "The ability that the dream asks for.", default=DreamCategory.OTHER
    )
    tags: list[str] = field("Free-form labels.", default_factory=list)
    is_public: bool = field("Whether the dream is visible to everyone.", default=False)
    status: DreamStatus = field(
        "Initial status.", check=db.dreams.STARTING, default=DreamStatus.ACTIVE
    )
    idempotency_key: str | None = idempotency_key()


@checked(db.dreams.Dream)
@input_type
class EditDreamInput:
    """The input fields to edit a dream. Omitted fields stay unchanged."""

    id: strawberry.ID = field("ID of the dream.", check=DREAM)
    expected_version: int | None = field("Version that the dream must have.", default=UNSET)
    title: Maybe[str] = field("Title of the dream.")
    description: Maybe[str | None] = field("Description of what a good response must do.")
    original_prompt: Maybe[str | None] = field("The prompt that models are given.")
    category: Maybe[DreamCategory] = field("The ability that the dream asks for.")
    tags: Maybe[list[str]] = field("Free-form labels.")


@input_type
class DreamInput:
    """The input fields to identify a dream."""

    id: strawberry.ID = field("ID of the dream.", check=DREAM)


@checked(db.dreams.Dream)
@input_type
class RemixDreamInput:
    """The input fields to remix a dream. Omitted fields are copied from the original."""

    id: strawberry.ID = field("ID of the dream to remix.", check=DREAM)
    title: Maybe[str] = field("Title of the dream.")
    description: Maybe[str | None] = field("Description of what a good response must do.")
    original_prompt: Maybe[str | None] = field("The prompt that models are given.")
    idempotency_key: str | None = idempotency_key()
