"""Frozen records: everything that crosses a wire, a pipe, a row or a hook. No behaviour."""
