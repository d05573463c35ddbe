"""Versus: the gateway beside six other GraphQL servers on the same rows, and beside LIMIT."""
