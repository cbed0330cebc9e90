"""Mails newsletters."""
