"""Assertions about what was enqueued and what came of it."""
