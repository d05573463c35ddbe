"""Metrics: measured values of named series."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from db.core.ingest.rows import row_validator
from db.core.ingest.statements import insert_batch
from db.core.ingest.writer import IngestTarget
from db.core.query.listing import ListSpec, columns_by_name
from db.core.table import Id, Json, Table, checked, documents, sequence
from db.core.values import validation


class Metric(Table):
    """One measured value of one series."""

    __tablename__ = "performance_metrics"
    __table_args__ = (
        Index(None, "metric_name", "id"),
        documents("tags"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    seq: Mapped[int | None] = sequence("performance_metrics_seq")  # none before migration 0022
    metric_name: Mapped[str] = checked(validation.string(300))  # may contain the key of an agent
    value: Mapped[Decimal] = mapped_column(Numeric(15, 6))
    unit: Mapped[str | None] = checked(validation.string(100, 0))
    tags: Mapped[Json]
    timestamp: Mapped[datetime]


MAX_VALUE = Decimal("999999999.999999")  # the most that the column holds

LISTING = ListSpec(
    Metric,
    filters=columns_by_name(
        Metric.metric_name, Metric.value, Metric.unit, Metric.tags, Metric.timestamp
    ),
    orders={"TIMESTAMP": Metric.id},
    time=Metric.timestamp,
    most=1_000,
)

RECORDED = IngestTarget(
    "metrics", (Metric,), row_validator(Metric), insert_batch(Metric), feeds=("metrics",)
)
