"""Follows parcels on their way."""
