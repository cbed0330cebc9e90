"""The invoices, in the memory of this example."""

from dataclasses import dataclass, field


@dataclass
class Invoice:
    """An invoice and what became of it."""

    number: int
    customer: str
    amount: int
    is_sent: bool = False
    receipts: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


invoices: dict[int, Invoice] = {}


def add(number: int, customer: str, amount: int) -> Invoice:
    invoices[number] = Invoice(number, customer, amount)
    return invoices[number]
