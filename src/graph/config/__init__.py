"""Config: system settings that change at run time, and feature flags."""

from graph.config.inputs import (
    ConfigEntryFilter as ConfigEntryFilter,
    ConfigEntryOrder as ConfigEntryOrder,
    FeatureFlagFilter as FeatureFlagFilter,
    FeatureFlagOrder as FeatureFlagOrder,
)
from graph.config.operations import Mutations as Mutations, Queries as Queries
from graph.config.streams import Subscriptions as Subscriptions
from graph.config.types import (
    ConfigEntry as ConfigEntry,
    FeatureFlag as FeatureFlag,
    NumberByKey as NumberByKey,
)
