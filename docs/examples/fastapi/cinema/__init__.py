"""A cinema that sells seats."""
