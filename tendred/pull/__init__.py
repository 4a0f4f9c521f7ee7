"""Fetching models from a hub, in a process of its own: the only part of the house that asks the internet for anything."""
