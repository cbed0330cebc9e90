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


def sync(user_id, full=False): ...


def load(account_id, path, kind="csv"): ...


def note(*parts, **more): ...


@pytest.mark.parametrize(
    ("function", "key", "calls", "others", "locked"),
    [
        (
            sync,
            None,
            [lambda do: do(7), lambda do: do(user_id=7), lambda do: do(7, False)],
            [lambda do: do(7, full=True)],
            ["[7,false]", "[7,true]"],
        ),
        (sync, "user_id", [lambda do: do(7), lambda do: do(full=True, user_id=7)], [], ["[7]"]),
        *(
            (
                load,
                key,
                [lambda do: do(1, "a"), lambda do: do(1, "b")],
                [lambda do: do(1, "b", "xml")],
                ['[1,"csv"]', '[1,"xml"]'],
            )
            for key in (("account_id", "kind"), ["account_id", "kind"])
        ),
        # In any order, and so those of a dict.
        (
            note,
            None,
            [lambda do: do(1, a=1, b={"x": 1, "y": 2}), lambda do: do(1, b={"y": 2, "x": 1}, a=1)],
            [lambda do: do(1, a=1)],
            None,
        ),
        # What is built in and has no signature.
        (sync, functools.partial(max, 3), [lambda do: do(1), lambda do: do(2)], [], None),
    ],
)
def test_jobs_are_the_same_whose_keys_are_however_they_are_passed_and_in_whatever_queue(
    jobs, function, key, calls, others, locked
):
    declared = unique(key)(job(function))

    asked = [
        call(declared.set(queue=f"q{n}").perform_later) for n, call in enumerate(calls + others)
    ]

    assert enqueued(*asked) == [True, *[False] * (len(calls) - 1), *[True] * len(others)]
    if locked:
        assert keys(jobs) == [f"{function.__name__}:{key}" for key in locked]


def test_a_callable_takes_the_arguments_as_they_were_passed(jobs):
    seen = []

    @unique(lambda *args, **kwargs: seen.append((args, kwargs)) or args[0] % 10)
    @job
    def sync(user_id, full=False): ...

    assert enqueued(sync.perform_later(7), sync.perform_later(17, full=True)) == [True, False]
    assert seen == [((7,), {}), ((17,), {"full": True})]


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

    @unique()
    class Abstract(Job): ...

    class Concrete(Abstract):
        def perform(self, n): ...

    classes = (Base, Child, function, Child, Concrete, Concrete)
    asked = [each.perform_later(1) for each in classes]
    assert enqueued(*asked) == [True, True, True, False, True, False]


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


def test_an_error_of_the_key_is_raised_but_arguments_that_do_not_fit_come_first(jobs):
    declared = unique(lambda user_id: 1 // user_id)(job(lambda user_id: None))

    with pytest.raises(ZeroDivisionError):
        declared.perform_later(0)
    with pytest.raises(SignatureError):
        declared.perform_later()

    assert (jobs.enqueued, jobs.locks) == ([], [])
