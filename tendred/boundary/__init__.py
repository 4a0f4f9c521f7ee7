"""The content boundary: which words may be drawn, and the seal on what was allowed."""
