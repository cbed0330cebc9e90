"""The jobs, with a helper and with a list of their own."""

from . import service

ledger: list[int] = []


def charge_by_service(number):
    service.charge_unless_sent(number)


def charge_by_helper(number):
    _helper(number)


def _helper(number):
    if number in service.sent:
        return
    service.charge(number)
    service.sent.append(number)


def charge_into_own_list(number):
    if ledger.count(number) == 0:
        ledger.append(number)


def charge_into_own_list_always(number):
    ledger.append(number)


def charge_from_a_generator(number):
    for step in _steps(number):
        if step not in service.sent:
            service.sent.append(step)


def _steps(number):
    try:
        yield number
        yield number + 1
    except GeneratorExit:
        service.charge(number)
        raise
