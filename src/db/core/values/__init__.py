"""Values: how they are validated, read and printed."""
