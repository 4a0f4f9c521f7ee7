"""Prices, quotes, caps and the books: integer arithmetic and SQL. Nothing here knows a provider's address."""
