"""The one Django project of this process: settings are process-wide, so every test shares them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

_MEMORY = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}


def configure() -> None:
    """Set Django up, unless that has been done."""
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(**_settings(django.VERSION))
        django.setup()


def _settings(version: tuple[int, ...]) -> dict[str, Any]:
    backport = find_spec("django_tasks") is not None
    found: dict[str, Any] = {
        "DATABASES": {"default": {**_MEMORY}, "other": {**_MEMORY}},
        "INSTALLED_APPS": [
            *(["django_tasks"] if backport else []),
            *(["django_q"] if find_spec("django_q") else []),
            *(["django_dramatiq"] if find_spec("django_dramatiq") else []),
            *(["django_celery_beat"] if find_spec("django_celery_beat") else []),
        ],
        "DRAMATIQ_BROKER": {
            "BROKER": "dramatiq.brokers.redis.RedisBroker",
            "OPTIONS": {"url": "redis://127.0.0.1:1"},
            "MIDDLEWARE": [],
        },
        "Q_CLUSTER": {"redis": {"host": "127.0.0.1", "port": 1}, "timeout": 30},
        "RQ_QUEUES": {"default": {"HOST": "127.0.0.1", "PORT": 1, "DB": 0}},
        "SECRET_KEY": "tests",
        "USE_TZ": True,
    }
    if version >= (6, 0):
        found["TASKS"] = {"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}
    elif backport:
        found["TASKS"] = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}
    return found


def close_connections() -> None:
    """Close the connections of this thread; Django itself keeps those to a database in memory open."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            connection.connection.close()
            connection.connection = None
