"""Subscriptions: sources of updates, and their delivery to subscribers."""
