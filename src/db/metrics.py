"""Metrics: numbers measured over time, many series side by side."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Index, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import Id, Json, Table


class Metric(Table):
    """One measured value of one series."""

    __tablename__ = "performance_metrics"
    __table_args__ = (
        Index(None, "metric_name", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    metric_name: Mapped[str]
    value: Mapped[Decimal] = mapped_column(Numeric(15, 6))
    unit: Mapped[str | None]
    tags: Mapped[Json]
    timestamp: Mapped[datetime]
