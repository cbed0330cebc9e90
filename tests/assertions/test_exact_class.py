"""The class is matched exactly: a subclass is another job."""

from pytest_jobs import Job


class Notify(Job):
    def perform(self, to):
        pass


class NotifyByMail(Notify):
    pass


class Other(Job):
    def perform(self):
        pass


def test_a_subclass_does_not_match_its_parent(jobs, assert_enqueued, assert_not_enqueued):
    NotifyByMail.perform_later("ann")

    assert_not_enqueued(Notify)
    assert assert_enqueued(NotifyByMail).job is NotifyByMail


def test_a_parent_does_not_match_its_subclass(jobs, assert_not_enqueued):
    Notify.perform_later("ann")

    assert_not_enqueued(NotifyByMail)


def test_deliveries_are_matched_exactly_too(jobs, assert_performed, assert_not_performed):
    NotifyByMail.perform_later("ann")
    jobs.drain()

    assert_not_performed(Notify)
    assert_performed(NotifyByMail)


def test_when_only_a_subclass_was_enqueued_the_message_says_so(jobs, assert_enqueued, failure):
    Other.perform_later()
    NotifyByMail.perform_later("ann")

    assert failure(assert_enqueued, Notify) == (
        "Expected exactly 1 Notify enqueued\n"
        "but no Notify was enqueued, only other jobs: 1 Other, 1 NotifyByMail.\n"
        "\n"
        "Hint: #1 NotifyByMail('ann') is a NotifyByMail, a subclass of Notify. The class is matched exactly: "
        "name the subclass.\n"
        "\n"
        "Next: name the class that is enqueued, or enqueue the class that is named.\n"
        "See: python -m pytest_jobs explain only-a-subclass"
    )


def test_when_the_class_was_enqueued_too_nothing_is_said_of_subclasses(
    jobs, assert_enqueued, failure
):
    Notify.perform_later("ann")
    NotifyByMail.perform_later("bob")

    assert "NotifyByMail" not in failure(assert_enqueued, Notify, params={"to": "bob"})
