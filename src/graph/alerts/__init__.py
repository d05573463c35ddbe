"""Alerts: rules that watch figures of the system, and the alerts that they open."""

from graph.alerts.inputs import (
    AlertFilter as AlertFilter,
    AlertOrder as AlertOrder,
    AlertRuleFilter as AlertRuleFilter,
    AlertRuleOrder as AlertRuleOrder,
)
from graph.alerts.operations import Mutations as Mutations, Queries as Queries
from graph.alerts.streams import Subscriptions as Subscriptions
from graph.alerts.types import Alert as Alert, AlertRule as AlertRule
