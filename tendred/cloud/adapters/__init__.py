"""One file a provider, behind `backend.Adapter`; none knows another. What they share is in `wire` and `table`."""
