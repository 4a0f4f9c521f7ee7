"""What each provider takes, typed by hand from its documents."""
