"""Keeping the leases of a real redis server to the virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from ...errors import ExplorationError
from ..acts import watcher

_NS_PER_MS: Final = 1_000_000
#: What is left of every lease is shortened; what has no time left is gone.
_SHORTEN: Final = """
local gap = tonumber(ARGV[1])
for _, key in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TYPE', key).ok == 'hash' then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local left = redis.pcall('HPTTL', key, 'FIELDS', 1, field)
      if not left.err and left[1] >= 0 then
        redis.call('HPEXPIRE', key, math.max(left[1] - gap, 0), 'FIELDS', 1, field)
      end
    end
  end
  local left = redis.call('PTTL', key)
  if left >= 0 then
    redis.call('PEXPIRE', key, math.max(left - gap, 0))
  end
end
"""
_AT: Final = {"EXPIREAT": 1_000, "PEXPIREAT": 1}
_OPTIONS_AT: Final = {"EXAT": 1_000, "PXAT": 1}
_OF_SERVER: Final = frozenset(
    ("TIME", "EXPIRETIME", "PEXPIRETIME", "HEXPIREAT", "HPEXPIREAT", "HEXPIRETIME", "HPEXPIRETIME")
)


class ServerClock:
    """Lets a server know how much virtual time has passed, before anything is asked of it."""

    def __init__(self, keeper: Any, now_ns: Callable[[], int]) -> None:
        """Begin now.

        Args:
            keeper: a client of the server that nobody else uses.
            now_ns: returns the virtual time.
        """
        self._keeper = keeper
        self._now_ns = now_ns
        self._known_ms = self._now_ms()

    def catch_up(self) -> None:
        """Shorten what is left of every lease by the virtual time that has passed."""
        now = self._now_ms()
        gap, self._known_ms = now - self._known_ms, now
        if gap > 0:
            self._ask(lambda: self._keeper.eval(_SHORTEN, 0, gap))

    def translated(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a command with its times in those of the server.

        Raises:
            ExplorationError: when the answer would be a time of the server.
        """
        name = _word(args[0]).partition(" ")[0]
        if name in _OF_SERVER:
            raise ExplorationError(
                f"{name} asks for the clock of the server, and the job lives by the virtual clock: let the world "
                "use fakeredis (no server=), or let the job ask for what is left (TTL) or for `time.time()`."
            )
        if name in _AT:
            return (*args[:2], self._of_server(args[2], _AT[name]), *args[3:])
        if name in ("SET", "GETEX"):
            return self._with_options(args)
        return args

    def connection_class(self, base: Any) -> Any:
        """Return a class of connections that catch up before they send anything."""
        clock = self

        def send_packed_command(self: Any, command: Any, check_health: bool = True) -> None:
            clock.catch_up()
            base.send_packed_command(self, command, check_health)

        return type(
            base.__name__,
            (base,),
            {"send_packed_command": send_packed_command, **self._packing(base)},
        )

    def async_connection_class(self, base: Any) -> Any:
        """Return the same for connections that are awaited."""
        clock = self

        async def send_packed_command(self: Any, command: Any, check_health: bool = True) -> None:
            clock.catch_up()
            await base.send_packed_command(self, command, check_health)

        return type(
            base.__name__,
            (base,),
            {"send_packed_command": send_packed_command, **self._packing(base)},
        )

    def _packing(self, base: Any) -> dict[str, Callable[..., Any]]:
        clock = self

        def send_command(self: Any, *args: Any, **kwargs: Any) -> Any:
            return base.send_command(self, *clock.translated(args), **kwargs)

        def pack_commands(self: Any, commands: Iterable[tuple[Any, ...]]) -> Any:
            return base.pack_commands(self, [clock.translated(tuple(args)) for args in commands])

        return {"send_command": send_command, "pack_commands": pack_commands}

    def _with_options(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        found = list(args)
        first = 3 if _word(args[0]) == "SET" else 2
        for place in range(first, len(args) - 1):
            scale = _OPTIONS_AT.get(_word(args[place]))
            if scale is not None:
                found[place + 1] = self._of_server(args[place + 1], scale)
        return tuple(found)

    def _of_server(self, when: Any, scale: int) -> int:
        """Return a virtual time in that of the server, in the same unit: seconds or milliseconds."""
        seconds, microseconds = self._ask(self._keeper.time)
        ahead_ms: int = self._now_ms() - (seconds * 1_000 + microseconds // 1_000)
        return int(when) - round(ahead_ms / scale)

    def _now_ms(self) -> int:
        return self._now_ns() // _NS_PER_MS

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Ask the server what no job has asked."""
        token = watcher.set(None)
        try:
            return question()
        finally:
            watcher.reset(token)


def _word(value: Any) -> str:
    return value.decode("latin-1").upper() if isinstance(value, bytes) else str(value).upper()
