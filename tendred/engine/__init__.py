"""The engine: a Backend that owns the one process which draws. Nothing here imports torch; `worker/` does."""
