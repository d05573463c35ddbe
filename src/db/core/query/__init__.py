"""Queries: lists, filters, keyset pages and batches, compiled to SQL."""
