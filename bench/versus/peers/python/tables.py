"""The tables of the peers, for SQLAlchemy."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import DateTime

POOL_SIZE = 10


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012  as SQLAlchemy declares it
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
        str: Text,
    }


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    wallet_address: Mapped[str | None]
    passport_tier: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Dream(Base):
    __tablename__ = "dreams"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    description: Mapped[str | None]
    original_prompt: Mapped[str]
    category: Mapped[str]
    tags: Mapped[list[str]]
    is_public: Mapped[bool]
    status: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class AITest(Base):
    __tablename__ = "ai_tests"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id"))
    provider: Mapped[str]
    model: Mapped[str]
    impossibility_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    confidence: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    reasoning: Mapped[str | None]
    duration: Mapped[int | None]
    tokens_used: Mapped[int | None]
    cost: Mapped[Decimal | None] = mapped_column(Numeric(10, 6))
    status: Mapped[str]
    created_at: Mapped[datetime]


class ProgressLog(Base):
    __tablename__ = "progress_logs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id"))
    average_impossibility: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    best_score: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    test_count: Mapped[int | None]
    active_models: Mapped[list[str] | None]
    improvement_trend: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    created_at: Mapped[datetime]


class AgentState(Base):
    __tablename__ = "agent_states"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    agent_key: Mapped[str]
    status: Mapped[str]
    last_active: Mapped[datetime | None]
    current_task: Mapped[dict[str, Any] | None]
    performance_metrics: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class SystemEvent(Base):
    __tablename__ = "system_events"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=text("gen_random_uuid()"))
    event_type: Mapped[str]
    source: Mapped[str]
    severity: Mapped[str]
    payload: Mapped[dict[str, Any] | None]
    timestamp: Mapped[datetime] = mapped_column(server_default=text("now()"))


# Without parts of a URL, asyncpg takes them from PGHOST, PGPORT, PGUSER and PGDATABASE.
engine = create_async_engine("postgresql+asyncpg://", pool_size=POOL_SIZE, max_overflow=0)
Session = async_sessionmaker(engine, expire_on_commit=False)
