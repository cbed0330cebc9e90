"""Adapters for the reference core that need no harness and no pytest."""
