"""Failure: the one error of the embedded database."""


class EmbeddedFailed(Exception):
    """The embedded database cannot be used; the message says why."""
