"""Growth: what statements cost in a database of any number of rows."""
