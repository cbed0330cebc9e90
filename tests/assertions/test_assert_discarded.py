"""`assert_discarded` asks for deliveries after which a rule dropped the job."""

from pytest_jobs import Job, discard_on


class Expired(Exception):
    pass


@discard_on(Expired)
class Pay(Job):
    def perform(self, card):
        if card == "expired":
            raise Expired(card)
        if card == "broken":
            raise ValueError(card)


def test_it_returns_the_delivery(jobs, assert_discarded):
    Pay.perform_later("expired")
    jobs.drain()

    delivery = assert_discarded(Pay)

    assert (delivery.status, delivery.result, delivery.wait) == ("discarded", None, None)


def test_criteria_apply(jobs, noon, assert_discarded):
    Pay.perform_later("expired")
    Pay.set(queue="low").perform_later("expired")
    jobs.drain()

    assert assert_discarded(Pay, error=Expired("expired"), queue="low", at=noon, wait=None)
    assert len(assert_discarded(Pay, params={"card": "expired"}, at_least=1)) == 2
