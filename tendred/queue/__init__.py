"""The queue: a pure state machine, its rows, and which job is next."""
