"""Core: shared by all nouns: types, execution, subscriptions, context, loaders, permission."""
