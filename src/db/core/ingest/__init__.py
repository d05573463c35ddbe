"""Ingestion: rows that are stored in batches."""
