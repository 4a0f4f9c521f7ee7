"""The cloud: a broker of clips, and its adapters."""
