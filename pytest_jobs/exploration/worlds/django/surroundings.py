"""What Django keeps in memory, and a history must not find from another one."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core import mail
from django.test.utils import override_settings

from ....harness.records.patches import Patches

_LOCMEM: Final = "django.core.mail.backends.locmem.EmailBackend"


@contextmanager
def fresh_surroundings() -> Generator[None, None, None]:
    """Have a new outbox, and empty caches, for a block."""
    with ExitStack() as stack:
        stack.enter_context(mail_in_memory())
        patches = Patches()
        stack.callback(patches.restore)
        patches.set(mail, "outbox", [])
        stack.enter_context(_empty_caches())
        forget_rows()
        stack.callback(forget_rows)
        yield


@contextmanager
def mail_in_memory() -> Generator[None, None, None]:
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
def _empty_caches() -> Generator[None, None, None]:
    """Empty the caches in memory for a block; they stand for one cache that all workers share."""
    before = [(store, dict(store)) for store in memory_of_caches()]
    for store, _ in before:
        store.clear()
    try:
        yield
    finally:
        for store in memory_of_caches():
            store.clear()
        for store, content in before:
            store.update(content)


def memory_of_caches() -> list[dict[str, Any]]:
    """Return the dictionaries of the caches in memory: of values, and of the times when they expire."""
    module: Any = sys.modules.get("django.core.cache.backends.locmem")
    if module is None:
        return []
    return [*module._caches.values(), *module._expire_info.values()]


def forget_rows() -> None:
    """Forget the rows that Django's own applications keep in memory: they are those of another database."""
    for application, name in (("contenttypes", "ContentType"), ("sites", "Site")):
        if apps.is_installed(f"django.contrib.{application}"):
            manager: Any = apps.get_model(application, name)._default_manager
            manager.clear_cache()
