"""A newsletter: readers, their mail, and issues made from pages of the web."""
