"""Types: how nouns declare fields, filters, lists, mutations and errors."""
