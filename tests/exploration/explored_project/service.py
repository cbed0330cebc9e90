"""What the jobs do."""

charges: list[int] = []
sent: list[int] = []


def charge(number):
    charges.append(number)


def charge_unless_sent(number):
    if number in sent:
        return
    charge(number)
    sent.append(number)
