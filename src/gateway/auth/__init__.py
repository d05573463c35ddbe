"""Authentication: API keys, tokens, clients and their limits. Importing it loads none of them."""
