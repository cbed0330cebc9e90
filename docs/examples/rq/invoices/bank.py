"""The bank that charges customers."""


class BankDown(Exception):
    """The bank does not answer."""


def charge(customer: str, amount: int, key: str | None = None) -> str:
    """Charge a customer, and return the receipt. Of several calls with one key the first charges."""
    raise BankDown
