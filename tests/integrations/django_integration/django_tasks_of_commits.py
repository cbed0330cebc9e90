"""A task, which has to be at the top of a module."""

from __future__ import annotations

from django_tasks import task


@task
def send(number):
    pass
