"""Retention settings: how long rows are kept."""

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from gateway.settings.section import Section

IN_MONTHS = "are kept, in whole months; 0 keeps them without limit."


class RetentionSettings(Section):
    """Days by table; 0 is without limit."""

    keep_history_days: int = Field(
        default=0, ge=0, description=f"Days that agent reports {IN_MONTHS}"
    )
    keep_events_days: int = Field(
        default=0, ge=0, description=f"Days that system events {IN_MONTHS}"
    )
    keep_metrics_days: int = Field(default=0, ge=0, description=f"Days that metrics {IN_MONTHS}")
    keep_actions_days: int = Field(
        default=0, ge=0, description=f"Days that user actions {IN_MONTHS}"
    )
    keep_tests_days: int = Field(
        default=0,
        ge=0,
        description=f"Days that AI tests {IN_MONTHS} Progress is computed from the tests that are "
        "left.",
    )
    keep_progress_days: int = Field(
        default=0, ge=0, description="Days that progress logs are kept; 0 is without limit."
    )
    keep_notifications_days: int = Field(
        default=0,
        ge=0,
        description="Days that notifications are kept, read or not; 0 is without limit.",
    )
    keep_alerts_days: int = Field(
        default=0,
        ge=0,
        description="Days that alerts are kept after they closed, at least 7; 0 is without limit.",
    )
    keep_deliveries_days: int = Field(
        default=0,
        ge=0,
        description="Days that messages to webhooks are kept, at least 2; 0 is without limit.",
    )
    keep_audit_days: int = Field(
        default=0,
        ge=0,
        description="Days that the audit log is kept, at least as long as changes; 0 is without "
        "limit.",
    )
    keep_changes_days: int = Field(
        default=30,
        ge=0,
        description="Days that subscriptions to other nouns can be resumed; 0 is without limit.",
    )

    keep_idempotency_hours: int = Field(
        default=48,
        ge=48,
        description="Hours that idempotency keys are kept and valid; clients rely on 48.",
    )

    @property
    def keep_keys(self) -> timedelta:
        return timedelta(hours=self.keep_idempotency_hours)

    @property
    def keep(self) -> dict[str, timedelta]:
        """The time that rows are kept, by the names of feeds and of `db.retention.TABLES`."""
        days = {
            "agents": self.keep_history_days,
            "events": self.keep_events_days,
            "metrics": self.keep_metrics_days,
            "actions": self.keep_actions_days,
            "tests": self.keep_tests_days,
            "progress": self.keep_progress_days,
            "notifications": self.keep_notifications_days,
            "alerts": self.keep_alerts_days,
            "deliveries": self.keep_deliveries_days,
            "audit": self.keep_audit_days,
            "changes": self.keep_changes_days,
        }
        return {name: timedelta(days=count) for name, count in days.items() if count}

    @model_validator(mode="after")
    def _check_audit(self) -> Self:
        """Subscriptions read what a row was before a change in its audit entry."""
        kept = self.keep
        longest = timedelta.max
        if kept.get("audit", longest) < kept.get("changes", longest):
            raise ValueError(
                "DREAMNET_KEEP_AUDIT_DAYS must be at least DREAMNET_KEEP_CHANGES_DAYS: "
                "subscriptions that resume need the entries of their changes."
            )
        return self

    @model_validator(mode="after")
    def _check_alerts(self) -> Self:
        if 0 < self.keep_alerts_days < 7:
            raise ValueError(
                "DREAMNET_KEEP_ALERTS_DAYS must be at least 7: the cooldown of a rule is the time "
                "since its last alert closed, up to 7 days."
            )
        if 0 < self.keep_deliveries_days < 2:
            raise ValueError(
                "DREAMNET_KEEP_DELIVERIES_DAYS must be at least 2: messages are sent again for "
                "almost two days."
            )
        return self
