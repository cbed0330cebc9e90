"""What the header line of a run says about the Celery applications of a project."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any

from celery import Celery
from kombu.utils.url import maybe_sanitize_url

from .apps import app_text, named_apps


def describe(named: Sequence[Celery]) -> str:
    """Return which applications there are, and which of their settings no longer matter.

    The line is printed before a test needs the settings. So a configuration that Celery has not loaded is only
    looked at: loading it imports modules of the project.

    Args:
        named: those that `jobs_apps` names, which come first.
    """
    places = _places()
    apps = {**dict.fromkeys(named), **dict.fromkeys(places)}
    if not apps:
        return ""
    first, *others = apps
    parts = [places.get(first) or app_text(first)]
    if others:
        parts[0] += f" and {len(others)} more"
    brokers = [*dict.fromkeys(shown for app in apps for shown in _brokers(app))]
    if len(brokers) == 1:
        parts.append(f"broker {brokers[0]} is not contacted")
    elif brokers:
        rest = brokers[1] if len(brokers) == 2 else f"{len(brokers) - 1} more"
        parts.append(f"brokers {brokers[0]} and {rest} are not contacted")
    if any(_setting(app, "task_always_eager") for app in apps):
        parts.append("task_always_eager is ignored")
    return "; ".join(parts)


def _places() -> dict[Celery, str]:
    """Return the applications of the project by their places, as `celery -A` takes them."""
    places: dict[Celery, str] = {}
    for place, app in named_apps():
        module, _, _ = place.partition(":")
        if module.partition(".")[0] == "celery":
            continue
        # Many modules import the application; the one that makes it has the usual name.
        if app not in places or module.endswith(".celery"):
            places[app] = place
    return places


def _brokers(app: Celery) -> list[str]:
    """Return the URLs of the broker without their passwords; none for one inside the process."""
    url = os.environ.get("CELERY_BROKER_URL") or _setting(app, "broker_url") or ""
    urls = url.split(";") if isinstance(url, str) else list(url)
    return [maybe_sanitize_url(each) for each in urls if each and not each.startswith("memory://")]


def _setting(app: Celery, name: str) -> Any:
    if app.configured:
        return app.conf.get(name)
    # What the application was made with, and `app.conf` was given.
    found = getattr(app, "_preconf", {}).get(name)
    return _of_source(app, name) if found is None else found


def _of_source(app: Celery, name: str) -> Any:
    """Return a setting of the object or the module that Celery will read, if it is imported."""
    source: Any = getattr(app, "_config_source", None)
    if isinstance(source, str):
        module, _, attribute = source.partition(":")
        source = sys.modules.get(module)
        if attribute:
            source = getattr(source, attribute, None)
    if getattr(source, "configured", True) is False:
        # The settings of Django, which nothing has asked for yet.
        return None
    key = f"{app.namespace}_{name}".upper() if app.namespace else name
    return source.get(key) if isinstance(source, dict) else getattr(source, key, None)
