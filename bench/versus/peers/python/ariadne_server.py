"""Ariadne over the same data access as Strawberry: schema first, DataLoaders in the context, and
caches of parsed and validated documents."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from ariadne import MutationType, ObjectType, QueryType, ScalarType, make_executable_schema
from ariadne.asgi import GraphQL
from graphql import DocumentNode, GraphQLError, GraphQLResolveInfo, GraphQLSchema, parse, validate

from versus.peers.python import data

TYPES = """
  scalar DateTime
  scalar JSON
  type User { id: ID! email: String! passportTier: String! createdAt: DateTime! }
  type AITest {
    id: ID! provider: String! model: String! impossibilityScore: Float confidence: Float
    duration: Int tokensUsed: Int cost: Float status: String! createdAt: DateTime!
  }
  type ProgressLog {
    id: ID! averageImpossibility: Float bestScore: Float testCount: Int activeModels: [String!]
    improvementTrend: Float createdAt: DateTime!
  }
  type Dream {
    id: ID! title: String! description: String category: String! tags: [String!]!
    isPublic: Boolean! status: String! createdAt: DateTime! updatedAt: DateTime! user: User!
    aiTests(limit: Int = 10): [AITest!]! progressLogs(limit: Int = 10): [ProgressLog!]!
  }
  type AgentState {
    id: ID! agentKey: String! status: String! lastActive: DateTime currentTask: JSON
    performanceMetrics: JSON createdAt: DateTime! updatedAt: DateTime!
  }
  type Query { dream(id: ID!): Dream dreams(limit: Int = 20): [Dream!]! agents: [AgentState!]! }
  type Mutation { updateAgentStatus(key: String!, status: String!, task: JSON): AgentState! }
"""
Source = Any  # rows of SQLAlchemy; None at the root
Info = GraphQLResolveInfo[dict[str, Any]]

query, mutation, dream_type = QueryType(), MutationType(), ObjectType("Dream")
datetime_type, json_type = ScalarType("DateTime"), ScalarType("JSON")


@datetime_type.serializer
def iso_time(value: datetime) -> str:
    return value.isoformat()


@query.field("dream")
async def dream(_: Source, _info: Info, id: str) -> Source:
    return await data.dream(UUID(id))


@query.field("dreams")
async def dreams(_: Source, _info: Info, limit: int) -> Sequence[Source]:
    return await data.dreams(limit)


@query.field("agents")
async def agents(_: Source, _info: Info) -> Sequence[Source]:
    return await data.agents()


@mutation.field("updateAgentStatus")
async def update_agent_status(
    _: Source, _info: Info, key: str, status: str, task: Any = None
) -> Source:
    return await data.update_agent(key, status, task)


@dream_type.field("user")
async def user(dream: Source, info: Info) -> Source:
    return await info.context["loaders"].user.load(dream.user_id)


@dream_type.field("aiTests")
async def ai_tests(dream: Source, info: Info, limit: int) -> Source:
    return await info.context["loaders"].tests.load((dream.id, limit))


@dream_type.field("progressLogs")
async def progress_logs(dream: Source, info: Info, limit: int) -> Source:
    return await info.context["loaders"].logs.load((dream.id, limit))


parsed = lru_cache(128)(parse)


@lru_cache(128)
def validated(schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
    return validate(schema, document)


def context(request: Any, _: Any = None) -> dict[str, Any]:
    return {"request": request, "loaders": data.Loaders()}


app = GraphQL(
    make_executable_schema(
        TYPES, query, mutation, dream_type, datetime_type, json_type, convert_names_case=True
    ),
    context_value=context,
    query_parser=lambda _, request: parsed(request["query"]),
    query_validator=lambda schema, document, *_, **__: validated(schema, document),
    explorer=None,
)
