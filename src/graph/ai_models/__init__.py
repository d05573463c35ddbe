"""AI models: the models that tests run against, their prices and statistics."""

from graph.ai_models.inputs import AiModelFilter as AiModelFilter, AiModelOrder as AiModelOrder
from graph.ai_models.operations import Mutations as Mutations, Queries as Queries
from graph.ai_models.types import AiModel as AiModel, AiModelByName as AiModelByName
