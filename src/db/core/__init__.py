"""What every table needs: the base, sessions, pages, filters and batches."""
