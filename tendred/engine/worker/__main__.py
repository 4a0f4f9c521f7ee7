"""Where the engine process begins: pipes first, then quiet and offline libraries, then work."""

from __future__ import annotations

from tendred.engine.worker import house
from tendred.engine.worker.pipes import Pipes


def main() -> None:
    """Serve the daemon on stdin and stdout until it is gone."""
    pipes = Pipes.take_over()
    house.set_environment()
    house.tie_to_parent()
    pipes.start()
    # After the environment, which torch and the libraries around it read while they are imported.
    from tendred.engine.worker.artist import Artist
    from tendred.engine.worker.loop import serve

    serve(pipes, Artist())


if __name__ == "__main__":
    main()
