"""Adversary."""
