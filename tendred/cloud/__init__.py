"""Clips at a provider: what may happen to one, where that is written down, and the broker that carries it through."""
