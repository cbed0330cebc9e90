"""Commits."""
