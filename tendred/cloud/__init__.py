"""Clips at a provider: the broker that carries them there and back, where each stands, and the adapters."""
