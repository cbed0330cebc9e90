"""Sends letters."""
