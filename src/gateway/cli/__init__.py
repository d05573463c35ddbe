"""Command line: the `dreamnet` commands."""
