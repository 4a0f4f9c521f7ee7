"""The child process that draws: `python -m tendred.engine.worker`. The only code that imports torch."""
