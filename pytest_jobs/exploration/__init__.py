"""Idempotency by search: one job, delivered in every bad way that a broker and its workers know."""
