"""Not reading the certificates of authorities where no connection is made."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from ...harness.records.patches import Patches

#: What reads certificates, without the context: that would keep it alive.
_Call: TypeAlias = tuple[Callable[..., object], tuple[Any, ...], dict[str, Any]]

_LOADING: Final = ("load_verify_locations", "load_default_certs")
_USING: Final = ("wrap_socket", "wrap_bio", "get_ca_certs", "cert_store_stats")


class LateCertificates:
    """Has contexts read certificates when they are used, or when a block ends that they outlive.

    Reading them takes longer than all else in a history, and each new client does it.
    """

    def __init__(self) -> None:
        self._waiting: WeakKeyDictionary[ssl.SSLContext, list[_Call]] = WeakKeyDictionary()

    def install(self, patches: Patches) -> None:
        """Begin; what is put back ends it."""
        for name in _LOADING:
            patches.set(ssl.SSLContext, name, self._later(getattr(ssl.SSLContext, name)))
        for name in _USING:
            patches.set(ssl.SSLContext, name, self._first(getattr(ssl.SSLContext, name)))
        patches.undo_by(self._load_all)

    def _later(self, load: Callable[..., object]) -> Any:
        def later(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> None:
            named = [value for value in (*args, *kwargs.values()) if isinstance(value, str)]
            if not all(map(os.path.exists, named)):
                # Raises what it has to.
                load(context, *args, **kwargs)
                return
            calls = self._waiting.setdefault(context, [])
            calls.append((load, args, kwargs))

        return later

    def _first(self, use: Callable[..., Any]) -> Any:
        def used(context: ssl.SSLContext, *args: Any, **kwargs: Any) -> Any:
            self._load(context)
            return use(context, *args, **kwargs)

        return used

    def _load(self, context: ssl.SSLContext) -> None:
        for load, args, kwargs in self._waiting.pop(context, []):
            load(context, *args, **kwargs)

    def _load_all(self) -> None:
        for context in list(self._waiting):
            self._load(context)
