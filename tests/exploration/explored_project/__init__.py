"""A project with its jobs in one module and what they do in others."""
