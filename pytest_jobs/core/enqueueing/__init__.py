"""Enqueueing."""
