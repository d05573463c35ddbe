"""Schema: migrations, partitions and the state of a database."""
