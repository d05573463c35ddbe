"""Inputs: conditions on settings and flags, and what they are set to."""

from strawberry import UNSET, Maybe
from strawberry.scalars import JSON

import db
from db.core.values import validation
from graph.config.types import ConfigKind as ConfigKind  # described before a filter names it
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import input_type


@filters(db.config.LISTING)
class ConfigEntryFilter:
    """Conditions on settings; all given must hold."""


@orders(db.config.LISTING)
class ConfigEntryOrder:
    """Order of settings."""


@filters(db.config.FLAGS)
class FeatureFlagFilter:
    """Conditions on feature flags; all given must hold."""


@orders(db.config.FLAGS)
class FeatureFlagOrder:
    """Order of feature flags."""


@checked(db.config.ConfigEntry)
@input_type
class SetConfigInput:
    """A setting: either its value, or where its secret is kept."""

    key: str = field("Its name.")
    value: Maybe[JSON | None] = field("Its value; nothing secret.")
    reference: str | None = field(
        "In place of a value: the environment variable of a secret.",
        check=db.config.VARIABLE,
        default=UNSET,
    )
    description: Maybe[str | None] = field("What the setting is for; stays as it is if left out.")
    category: Maybe[str | None] = field("What it belongs to; stays as it is if left out.")
    expected_version: int | None = field(
        "Its version when it was read; then it must be there already.", default=UNSET
    )


@checked(db.config.ConfigEntry)
@input_type
class RemoveConfigInput:
    """A setting that is no longer needed."""

    key: str = field("Its name.")
    expected_version: int | None = field("Its version when it was read.", default=UNSET)


@input_type
class SyncEnvironmentInput:
    """Environment variables of the gateway that answers."""

    names: list[str] = field(
        "Their names; no others are looked at.",
        check=validation.each(100, validation.string(200, 0)),
    )


@checked(db.config.FeatureFlag)
@input_type
class SetFeatureFlagInput:
    """A feature flag; it is made if there is none of that key."""

    key: str = field("Its name.")
    enabled: bool = field("Whether the feature is on at all.")
    rollout_percent: Maybe[int | None] = field(
        "For how many of 100 users it is on; stays as it is if left out, 100 at first."
    )
    description: Maybe[str | None] = field("What the feature is; stays as it is if left out.")
