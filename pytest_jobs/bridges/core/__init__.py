"""The bridge to the reference job core."""
