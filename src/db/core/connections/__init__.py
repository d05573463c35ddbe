"""Connections: how a PostgreSQL is reached, and the pool of connections to it."""
