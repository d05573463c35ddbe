"""Inputs: filters and orders of settings and flags, and the arguments of mutations on them."""

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
    """Filter conditions on settings. All given conditions must hold."""


@orders(db.config.LISTING)
class ConfigEntryOrder:
    """Sort order for settings."""


@filters(db.config.FLAGS)
class FeatureFlagFilter:
    """Filter conditions on feature flags. All given conditions must hold."""


@orders(db.config.FLAGS)
class FeatureFlagOrder:
    """Sort order for feature flags."""


@checked(db.config.ConfigEntry)
@input_type
class SetConfigInput:
    """The input fields to create or update a setting, with either a value or a reference to a
    secret."""

    key: str = field("Unique key.")
    value: Maybe[JSON | None] = field("Value of the setting. Must not be a secret.")
    reference: str | None = field(
        "Name of the environment variable that holds the secret, instead of a value.",
        check=db.config.VARIABLE,
        default=UNSET,
    )
    description: Maybe[str | None] = field("Description of the setting. Unchanged if omitted.")
    category: Maybe[str | None] = field("Category of the setting. Unchanged if omitted.")
    expected_version: int | None = field(
        "Version that the setting must have. The setting must exist if given.", default=UNSET
    )


@checked(db.config.ConfigEntry)
@input_type
class DeleteConfigInput:
    """The input fields to delete a setting."""

    key: str = field("Unique key.")
    expected_version: int | None = field("Version that the setting must have.", default=UNSET)


@input_type
class SyncEnvironmentInput:
    """The input fields to store environment variables of the gateway that handles the request."""

    names: list[str] = field(
        "Names of the environment variables. No others are read.",
        check=validation.each(100, validation.string(200, 0)),
    )


@input_type
class LoadEnvironmentInput:
    """The input fields to refer to environment variables of the gateway that handles the
    request."""

    names: list[str] | None = field(
        "Names of the environment variables. If omitted, those that settings refer to, at most "
        f"{db.config.MOST_REFERENCES:,}.",
        check=validation.each(100, validation.string(200, 0)),
        default=UNSET,
    )


@checked(db.config.FeatureFlag)
@input_type
class SetFeatureFlagInput:
    """The input fields to create or update a feature flag."""

    key: str = field("Unique key.")
    enabled: bool = field("Whether the feature is enabled.")
    rollout_percent: Maybe[int | None] = field(
        "Percentage of users for which the feature is on. Unchanged if omitted, 100 for a new flag."
    )
    description: Maybe[str | None] = field("Description of the feature. Unchanged if omitted.")


@checked(db.config.FeatureFlag)
@input_type
class DeleteFeatureFlagInput:
    """The input fields to delete a feature flag."""

    key: str = field("Unique key.")
