"""What makes two jobs the same."""

import functools
from datetime import date

import pytest

from pytest_jobs import Job, job, later, limits_concurrency, reference, unique
from pytest_jobs.errors import SerializationError, SignatureError

UNSET = object()


def enqueued(*jobs):
    return [job.enqueued for job in jobs]


def keys(jobs):
    return [lock.key.rpartition(".")[2] for lock in jobs.locks]


def test_without_a_key_all_arguments_count_however_they_are_passed(jobs):
    @unique()
    @job
    def sync(user_id, full=False): ...

    assert enqueued(
        sync.perform_later(7),
        sync.perform_later(user_id=7),
        sync.perform_later(7, False),
        sync.perform_later(7, full=True),
    ) == [True, False, False, True]
    assert keys(jobs) == ["sync:[7,false]", "sync:[7,true]"]


def test_a_name_is_that_of_a_parameter(jobs):
    @unique("user_id")
    @job
    def sync(user_id, full=False): ...

    assert enqueued(sync.perform_later(7), sync.perform_later(full=True, user_id=7)) == [
        True,
        False,
    ]
    assert keys(jobs) == ["sync:[7]"]


@pytest.mark.parametrize("key", [("account_id", "kind"), ["account_id", "kind"]])
def test_several_names_count_together(jobs, key):
    @unique(key)
    @job
    def load(account_id, path, kind="csv"): ...

    assert enqueued(
        load.perform_later(1, "a"), load.perform_later(1, "b"), load.perform_later(1, "b", "xml")
    ) == [True, False, True]
    assert keys(jobs) == ['load:[1,"csv"]', 'load:[1,"xml"]']


def test_a_callable_takes_the_arguments_as_they_were_passed(jobs):
    seen = []

    @unique(lambda *args, **kwargs: seen.append((args, kwargs)) or args[0] % 10)
    @job
    def sync(user_id, full=False): ...

    assert enqueued(sync.perform_later(7), sync.perform_later(17, full=True)) == [True, False]
    assert seen == [((7,), {}), ((17,), {"full": True})]


def test_other_keywords_count_in_any_order_and_so_do_those_of_a_dict(jobs):
    @unique()
    @job
    def note(*parts, **more): ...

    assert enqueued(
        note.perform_later(1, a=1, b={"x": 1, "y": 2}),
        note.perform_later(1, b={"y": 2, "x": 1}, a=1),
        note.perform_later(1, a=1),
    ) == [True, False, True]


def test_values_count_as_they_are_written_into_the_payload(jobs):
    @reference(id="id", find="find")
    class User:
        def __init__(self, id):
            self.id = id

        @classmethod
        def find(cls, id):
            return cls(id)

    @unique()
    @job
    def greet(user, on): ...

    day = date(2030, 1, 1)
    assert enqueued(
        greet.perform_later(User(1), day),
        greet.perform_later(User(1), day),
        greet.perform_later(User(2), day),
    ) == [True, False, True]


def test_each_class_has_keys_of_its_own_also_one_that_inherits_the_declaration(jobs):
    @unique("n")
    class Base(Job):
        def perform(self, n): ...

    class Child(Base): ...

    @job(base=Base)
    def function(n): ...

    assert enqueued(
        Base.perform_later(1),
        Child.perform_later(1),
        function.perform_later(1),
        Child.perform_later(1),
    ) == [True, True, True, False]


def test_a_subclass_may_declare_otherwise(jobs):
    @unique("n")
    class Base(Job):
        def perform(self, n, m): ...

    @unique(("n", "m"))
    class Child(Base): ...

    assert enqueued(
        Child.perform_later(1, 1), Child.perform_later(1, 2), Base.perform_later(1, 1)
    ) == [True, True, True]
    assert not Base.perform_later(1, 2).enqueued


def test_a_base_without_perform_declares_for_its_children(jobs):
    @unique()
    class Base(Job): ...

    class Child(Base):
        def perform(self, n): ...

    assert enqueued(Child.perform_later(1), Child.perform_later(1)) == [True, False]


def test_jobs_that_share_a_scope_exclude_each_other(jobs):
    @unique(scope="crm", key="n")
    @job
    def push(n): ...

    @unique(scope="crm", key="m")
    @job
    def pull(m): ...

    first = push.perform_later(1)
    assert pull.perform_later(1).dropped_for == first.job_id
    assert pull.perform_later(2).enqueued


def test_the_queue_does_not_count(jobs):
    @unique()
    @job
    def sync(): ...

    assert enqueued(sync.perform_later(), sync.set(queue="low").perform_later()) == [True, False]


def test_a_twin_of_a_method_can_be_unique_by_its_base(jobs):
    @unique()
    class Once(Job): ...

    @reference(id="id", find="find")
    class Hook:
        id = 3

        @classmethod
        def find(cls, id):
            return cls()

        def deliver(self): ...

        deliver_later = later(deliver, base=Once)

    assert enqueued(Hook().deliver_later(), Hook().deliver_later()) == [True, False]


def test_the_key_travels_with_the_payload(jobs):
    @unique()
    @job
    def sync(n): ...

    payload = sync.perform_later(7).payload

    assert payload.headers == {"unique": f"{payload.name}:[7]"}
    assert jobs.pending[0].headers == payload.headers


def test_a_key_that_cannot_be_written_is_refused_and_nothing_is_enqueued(jobs):
    @unique(lambda n: {n})
    @limits_concurrency(key=lambda n: {"more": sync})
    @job
    def sync(n): ...

    with pytest.raises(SerializationError) as caught:
        sync.perform_later(1)

    assert str(caught.value) == (
        f"limits_concurrency(key=...) returned {{'more': {sync!r}}} for {sync.__qualname__}, which is not a "
        "key: let "
        "it return what a payload can carry, such as an id, or several in a tuple."
    )
    assert (jobs.enqueued, jobs.locks) == ([], [])


def test_a_default_that_no_payload_can_carry_is_no_part_of_a_key(jobs):
    @unique()
    @job
    def sync(n, since=UNSET): ...

    with pytest.raises(
        SerializationError, match=r"^the parameter 'since' is of type object, which"
    ):
        sync.perform_later(7)

    assert (jobs.enqueued, jobs.locks) == ([], [])


def test_an_error_of_the_key_is_raised_and_nothing_is_enqueued(jobs):
    @unique(lambda n: 1 // n)
    @job
    def sync(n): ...

    with pytest.raises(ZeroDivisionError):
        sync.perform_later(0)

    assert (jobs.enqueued, jobs.locks) == ([], [])


def test_arguments_that_do_not_fit_are_refused_before_the_key_is_asked(jobs):
    @unique(lambda n: 1 // 0)
    @job
    def sync(n): ...

    with pytest.raises(SignatureError):
        sync.perform_later()


def test_what_is_built_in_and_has_no_signature_can_be_the_key(jobs):
    @unique(functools.partial(max, 3))
    @job
    def sync(n): ...

    assert enqueued(sync.perform_later(1), sync.perform_later(2)) == [True, False]
