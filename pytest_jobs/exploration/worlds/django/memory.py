"""What Django keeps in memory, which each history has for itself: outbox, caches, rows of its own applications."""

from __future__ import annotations

import math
import pickle
import sys
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core import mail
from django.test.utils import override_settings

from ....harness.records.patches import Patches
from ....harness.records.texts import counted
from ..base.store import Building, IsIgnored, without_passing

_LOCMEM: Final = "django.core.mail.backends.locmem.EmailBackend"


@contextmanager
def empty_memory() -> Generator[None, None, None]:
    with _mail_in_memory(), _kept_memory([]):
        for content in _of_caches():
            content.clear()
        yield


@contextmanager
def _mail_in_memory() -> Generator[None, None, None]:
    """Let no mail leave the process, as Django's test runner does."""
    # MAILERS is the newer setting, and each of the two forbids the other.
    wanted: dict[str, Any] = {"EMAIL_BACKEND": _LOCMEM}
    if hasattr(settings, "MAILERS"):
        wanted = {"MAILERS": {alias: {"BACKEND": _LOCMEM} for alias in settings.MAILERS}}
    with _unwarned():
        overriding = override_settings(**wanted)
        overriding.enable()
    try:
        yield
    finally:
        with _unwarned():
            overriding.disable()


@contextmanager
def _unwarned() -> Generator[None, None, None]:
    """Silence the warning about the older setting for mail, which the application may still have."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        yield


@contextmanager
def _kept_memory(outbox: list[Any] | None) -> Generator[None, None, None]:
    """Have an outbox for a block, and put the caches back, which stand for one that all workers share."""
    patches = Patches()
    before = [(content, dict(content)) for content in _of_caches()]
    if outbox is not None:
        patches.set(mail, "outbox", outbox)
    _forget_rows()
    try:
        yield
    finally:
        patches.restore()
        for content in _of_caches():
            content.clear()
        for content, entries in before:
            content.update(entries)
        _forget_rows()


class Memory:
    """The caches and the outbox, which each history finds as the test has filled them."""

    def __init__(self) -> None:
        self._made_at = time.time()
        self._entries = sum(map(len, _caches()[0].values()))

    @contextmanager
    def fresh(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        outbox = vars(mail).get("outbox")
        with _kept_memory(None if outbox is None else list(outbox)):
            # Entries expire as long after the begin of a history as they would in the test.
            passed = time.time() - self._made_at
            for ends in _caches()[1].values():
                for key, end in ends.items():
                    if end is not None:
                        ends[key] = end + passed
            yield lambda: _state(building.is_ignored)

    def described(self) -> str:
        return f"cache: {counted(self._entries, 'key')}" if self._entries else ""


def _state(is_ignored: IsIgnored) -> dict[str, Any]:
    state: dict[str, Any] = {}
    values, all_ends = _caches()
    for name, store in values.items():
        ends = all_ends[name]
        found = {
            key: pickle.loads(value)  # noqa: S301 - the cache of the test has made it
            for key, value in store.items()
            # Also as the application writes it, without the prefix and the version of the cache.
            if not is_ignored(key.split(":", 2)[-1], key) and (ends[key] or math.inf) > time.time()
        }
        if found:
            passing = [key for key in found if ends[key] is not None]
            state |= without_passing(f"cache {name}".strip(), "key", found, passing)
    return state


def _caches() -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, float | None]]]:
    """Return the values of the caches in memory, by the name of the cache, and when each expires."""
    module: Any = sys.modules.get("django.core.cache.backends.locmem")
    return ({}, {}) if module is None else (module._caches, module._expire_info)


def _of_caches() -> list[dict[str, Any]]:
    return [content for part in _caches() for content in part.values()]


def _forget_rows() -> None:
    """Forget the rows that Django's own applications keep in memory: they are those of another database."""
    for application, name in (("contenttypes", "ContentType"), ("sites", "Site")):
        if apps.is_installed(f"django.contrib.{application}"):
            manager: Any = apps.get_model(application, name)._default_manager
            manager.clear_cache()
