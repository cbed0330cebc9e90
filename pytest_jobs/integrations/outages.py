"""What a server that cannot be reached is said to answer."""


def said(error: Exception) -> str:
    """Return the class of an error and its text without the full stop."""
    return f"{type(error).__name__}: {error}".rstrip(".")
