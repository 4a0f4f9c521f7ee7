"""Plugins: what they may do, and how they are kept apart."""
