"""Renews memberships."""
