"""Shrinks pictures."""
