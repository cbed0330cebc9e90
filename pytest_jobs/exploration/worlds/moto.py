"""The backends of moto, which a test has filled before the check."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from ...harness.records.attributes import identity
from ..engine.world import note_not_put_back
from .base.store import Building

#: The module of moto that has the backends of all services that are in use.
MODULE: Final = "moto.core.base_backend"
#: A service, an account and a region.
_Place: TypeAlias = tuple[Any, str, str]


class Backends:
    """What the test has put into the services of moto. Each history finds that, and the test finds it again.

    What a job does there are effects by themselves, so it is no part of the state.
    """

    def __init__(self) -> None:
        places = dict(_backends())
        names = {identity(backend): place for place, backend in places.items()}
        self._contents: dict[_Place, bytes] = {}
        for place, backend in places.items():
            written = io.BytesIO()
            try:
                _Pickler(written, names).dump(vars(backend))
            except Exception:
                # Such as SQS, whose queues have locks.
                note_not_put_back(f"{place[0].service_name} of moto")
            else:
                self._contents[place] = written.getvalue()

    @contextmanager
    def fresh(self, building: Building) -> Generator[Callable[[], dict[str, Any]], None, None]:
        before = {place: dict(vars(backend)) for place, backend in _backends()}
        places = dict(_backends())
        for place, content in self._contents.items():
            _put(places[place], _Unpickler(io.BytesIO(content), places).load())
        try:
            yield dict
        finally:
            for place, backend in _backends():
                if place in self._contents:
                    _put(backend, before[place])
                elif place not in before:
                    # The job was the first to use it.
                    backend.reset()

    def described(self) -> str:
        services = dict.fromkeys(service.service_name for service, _, _ in self._contents)
        return f"moto: {', '.join(services)}" if services else ""


def _put(backend: Any, content: Mapping[str, Any]) -> None:
    vars(backend).clear()
    vars(backend).update(content)


def _backends() -> Iterator[tuple[_Place, Any]]:
    for service in list(sys.modules[MODULE].BackendDict._instances):
        for account, regions in list(dict.items(service)):
            for region, backend in list(dict.items(regions)):
                yield (service, account, region), backend


class _Pickler(pickle.Pickler):
    """Writes the content of a backend, with the names of the backends to which it refers."""

    def __init__(self, file: io.BytesIO, names: Mapping[int, _Place]) -> None:
        super().__init__(file)
        self._names = names

    def persistent_id(self, value: Any) -> tuple[str, str, str] | None:
        place = self._names.get(identity(value))
        return None if place is None else (place[0].service_name, *place[1:])


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, places: Mapping[_Place, Any]) -> None:
        super().__init__(file)
        self._named = {(place[0].service_name, *place[1:]): one for place, one in places.items()}

    def persistent_load(self, name: Any) -> Any:
        return self._named[name]
