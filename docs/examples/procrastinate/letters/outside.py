"""The outside world: a printer, and the bank."""

from __future__ import annotations


class PrinterJam(Exception):
    """The printer does not print."""


class Printer:
    def print(self, letter: str) -> None:
        raise PrinterJam(f"there is no printer here for {letter}")


class Bank:
    def charge(self, letter: str, cents: int) -> None:
        raise ConnectionError(f"there is no network here to charge for {letter}")


printer = Printer()
bank = Bank()
