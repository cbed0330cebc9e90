"""Puts the mutants into each process of a run of `mutants`: Python imports this module when it starts."""

import os

import schemata

if "MUTANTS" in os.environ:
    schemata.install(os.environ["MUTANTS"])
