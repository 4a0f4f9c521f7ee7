"""The child that pulls: the only code that imports the hub's client. Started by name, never imported."""
