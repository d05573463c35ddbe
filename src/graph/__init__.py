"""GraphQL: types, loaders and operations. Knows no HTTP and writes no SQL."""
