-- Leave PostgreSQL without work of its own.
vacuum analyze;
checkpoint;
