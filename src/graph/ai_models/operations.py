"""Operations: queries of AI models, and mutations."""

from typing import Annotated, Any

import strawberry

import db
from db.core.values import validation
from graph.ai_models.inputs import (
    AiModelInput,
    CreateAiModelInput,
    EditAiModelInput,
    RepriceAiModelInput,
)
from graph.ai_models.types import WRITE, AiModel, AiModelByName
from graph.core.context import Info, as_source
from graph.core.permission import PUBLIC
from graph.core.types.connection import Connection, listed
from graph.core.types.declared import NodeField
from graph.core.types.field import argument, field
from graph.core.types.menu import menu
from graph.core.types.mutation import (
    Input,
    create_idempotently,
    locked_row,
    mutation,
    provided_fields,
)
from graph.core.types.node import MaybeId, load_by
from graph.core.types.unset import or_none

NAME = validation.string(200, 0)
Provider = Annotated[str | None, argument("Provider of the model.", NAME)]
ModelName = Annotated[str | None, argument("Name of the model.", NAME)]


@strawberry.type
class Queries:
    ai_models: Connection[AiModel] = listed(
        db.ai_models.LISTING, "AI models, newest first.", PUBLIC
    )
    model_providers: list[str] = menu(
        db.ai_models.AiModel.provider, "Providers of all AI models.", PUBLIC
    )

    @field(
        "The AI model with this ID, or with this provider and name; null if it does not exist.",
        PUBLIC,
        shows=NodeField(db.ai_models.AiModel),
        reveals={"provider": db.ai_models.AiModel.provider, "name": db.ai_models.AiModel.name},
    )
    async def ai_model(
        self, info: Info, id: MaybeId = None, provider: Provider = None, name: ModelName = None
    ) -> AiModel | None:
        model = await load_by(
            info, db.ai_models.AiModel, id, AiModelByName, provider=provider, name=name
        )
        return as_source(model)


def activating(description: str, is_active: bool) -> Any:  # as `field`
    async def resolve(info: Info, input: Input[AiModelInput]) -> db.ai_models.AiModel:
        async with locked_row(info, db.ai_models.AiModel, input.id) as (session, model):
            return await db.ai_models.activate(session, model, is_active)

    return mutation(description, WRITE, AiModel, resolve)


@strawberry.type
class Mutations:
    retire_ai_model = activating("Mark a model as no longer available.", False)
    revive_ai_model = activating("Mark a model as available again.", True)

    @mutation("Create a model.", WRITE, AiModel)
    async def create_ai_model(
        self, info: Info, input: Input[CreateAiModelInput]
    ) -> db.ai_models.AiModel:
        model = provided_fields(input)
        return await create_idempotently(
            info, db.ai_models.AiModel, input, lambda s: db.ai_models.register(s, **model)
        )

    @mutation("Edit a model.", WRITE, AiModel)
    async def edit_ai_model(
        self, info: Info, input: Input[EditAiModelInput]
    ) -> db.ai_models.AiModel:
        version = or_none(input.expected_version)
        async with locked_row(info, db.ai_models.AiModel, input.id, version) as (session, model):
            return await db.ai_models.edit(session, model, **provided_fields(input))

    @mutation(
        "Change the prices of a model. Costs of existing tests stay unchanged; those of new tests "
        "are derived from the price at the time of the test.",
        WRITE,
        AiModel,
    )
    async def reprice_ai_model(
        self, info: Info, input: Input[RepriceAiModelInput]
    ) -> db.ai_models.AiModel:
        version = or_none(input.expected_version)
        async with locked_row(info, db.ai_models.AiModel, input.id, version) as (session, model):
            return await db.ai_models.prices.reprice(session, model, **provided_fields(input))
