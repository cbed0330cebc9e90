"""What a check builds afresh for each history: a file for each store."""
