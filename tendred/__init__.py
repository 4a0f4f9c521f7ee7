"""tendred: a local daemon that makes pictures on your own machine and brokers clips you asked for."""

__version__ = "0.1.0"
