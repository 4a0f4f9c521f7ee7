"""Providers of clips on loopback: `python -m tendred.testing.providers ltx`. They know no adapter, only the documents."""
