"""Strawberry on Starlette as its documentation shows it: async resolvers, DataLoaders in the
context, and caches of parsed and validated documents."""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.scalars import JSON

from versus.peers.python import data

Info = strawberry.Info[data.Loaders, None]
Source = Any  # rows of SQLAlchemy, which have the attributes of the types


@strawberry.type
class User:
    id: strawberry.ID
    email: str
    passport_tier: str
    created_at: datetime


@strawberry.type
class AITest:
    id: strawberry.ID
    provider: str
    model: str
    impossibility_score: float | None
    confidence: float | None
    duration: int | None
    tokens_used: int | None
    cost: float | None
    status: str
    created_at: datetime


@strawberry.type
class ProgressLog:
    id: strawberry.ID
    average_impossibility: float | None
    best_score: float | None
    test_count: int | None
    active_models: list[str] | None
    improvement_trend: float | None
    created_at: datetime


@strawberry.type
class Dream:
    id: strawberry.ID
    user_id: strawberry.Private[UUID]
    title: str
    description: str | None
    category: str
    tags: list[str]
    is_public: bool
    status: str
    created_at: datetime
    updated_at: datetime

    @strawberry.field(graphql_type=User)
    async def user(self, info: Info) -> Source:
        return await info.context.user.load(self.user_id)

    @strawberry.field(graphql_type=list[AITest])
    async def ai_tests(self: Source, info: Info, limit: int = 10) -> Source:
        return await info.context.tests.load((self.id, limit))

    @strawberry.field(graphql_type=list[ProgressLog])
    async def progress_logs(self: Source, info: Info, limit: int = 10) -> Source:
        return await info.context.logs.load((self.id, limit))


@strawberry.type
class AgentState:
    id: strawberry.ID
    agent_key: str
    status: str
    last_active: datetime | None
    current_task: JSON | None
    performance_metrics: JSON | None
    created_at: datetime
    updated_at: datetime


@strawberry.type
class Query:
    @strawberry.field(graphql_type=Dream | None)
    async def dream(self, id: strawberry.ID) -> Source:
        return await data.dream(UUID(id))

    @strawberry.field(graphql_type=list[Dream])
    async def dreams(self, limit: int = 20) -> Source:
        return await data.dreams(limit)

    @strawberry.field(graphql_type=list[AgentState])
    async def agents(self) -> Source:
        return await data.agents()


@strawberry.type
class Mutation:
    @strawberry.mutation(graphql_type=AgentState)
    async def update_agent_status(self, key: str, status: str, task: JSON | None = None) -> Source:
        return await data.update_agent(key, status, task)


class App(GraphQL[data.Loaders, None]):
    async def get_context(
        self,
        request: Request | WebSocket,  # noqa: ARG002  Strawberry passes both
        response: Response | WebSocket,  # noqa: ARG002  as above
    ) -> data.Loaders:
        return data.Loaders()


caches = [lambda: ParserCache(maxsize=128), lambda: ValidationCache(maxsize=128)]
schema = strawberry.Schema(Query, Mutation, extensions=caches)
app = Starlette(routes=[Route("/graphql", App(schema, graphql_ide=None))])
