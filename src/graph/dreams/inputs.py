"""Inputs: conditions on dreams, and what is handed in about them."""

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
    """Conditions on dreams; all given must hold."""

    tests: Annotated["AiTestFilter", strawberry.lazy("graph.ai_tests")] | None = relation(
        "Some test fulfils this."
    )


@orders(db.dreams.LISTING)
class DreamOrder:
    """Order of dreams."""


@checked(db.dreams.Dream)
@input_type
class CreateDreamInput:
    """A new dream of the viewer."""

    title: str = field("Short name.")
    description: str | None = field("What a good answer has to do.", default=UNSET)
    original_prompt: str | None = field("The prompt that models will be given.", default=UNSET)
    category: DreamCategory = field("The kind of ability it asks for.", default=DreamCategory.OTHER)
    tags: list[str] = field("Free labels.", default_factory=list)
    is_public: bool = field("Whether everybody may see it.", default=False)
    status: DreamStatus = field(
        "Where it starts.", check=db.dreams.STARTING, default=DreamStatus.ACTIVE
    )
    idempotency_key: str | None = idempotency_key()


@checked(db.dreams.Dream)
@input_type
class EditDreamInput:
    """Changes to a dream; what is left out stays as it is."""

    id: strawberry.ID = field("The dream.", check=DREAM)
    expected_version: int | None = field("Its version when it was read.", default=UNSET)
    title: Maybe[str] = field("Short name.")
    description: Maybe[str | None] = field("What a good answer has to do.")
    original_prompt: Maybe[str | None] = field("The prompt that models are given.")
    category: Maybe[DreamCategory] = field("The kind of ability it asks for.")
    tags: Maybe[list[str]] = field("Free labels.")


@input_type
class DreamInput:
    """A dream of the viewer."""

    id: strawberry.ID = field("The dream.", check=DREAM)


@checked(db.dreams.Dream)
@input_type
class RemixDreamInput:
    """A dream that varies another; what is left out is taken from that one."""

    id: strawberry.ID = field("The dream to vary.", check=DREAM)
    title: Maybe[str] = field("Short name.")
    description: Maybe[str | None] = field("What a good answer has to do.")
    original_prompt: Maybe[str | None] = field("The prompt that models will be given.")
    idempotency_key: str | None = idempotency_key()
