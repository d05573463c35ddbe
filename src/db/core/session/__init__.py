"""Sessions: the database, what a session may see, and what it reports."""
