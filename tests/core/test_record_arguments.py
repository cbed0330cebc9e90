"""Records travel by id and are found again when the job runs."""

from dataclasses import dataclass
from uuid import UUID

import pytest

from pytest_jobs import Job, discard_on, reference, retry_on
from pytest_jobs.errors import (
    DeclarationError,
    DeserializationError,
    RecordNotFoundError,
    RecordUnavailableError,
    SerializationError,
)


@reference(id="id", find="find")
class User:
    users = {}  # noqa: RUF012

    def __init__(self, id, name):
        self.id = id
        self.name = name

    @classmethod
    def find(cls, id):
        return cls.users.get(id)


class Admin(User):
    pass


class Guest(User):
    @classmethod
    def find(cls, id):
        return cls(id, "a guest")


class Visitor(Guest):
    pass


class Member(Guest):
    pass


class Account:
    """A class that is not ours."""

    def __init__(self, number):
        self.number = number

    def __eq__(self, other):
        return type(other) is Account and other.number == self.number

    __hash__ = None


reference(id=lambda account: account.number, find=Account)(Account)


@reference(id="sku", find=lambda sku: Product.shelf[sku])
@dataclass
class Product:
    sku: tuple[str, int]
    shelf = {}  # noqa: RUF012


@reference(id="id", find="find")
class Unreachable:
    id = 1

    @classmethod
    def find(cls, id):
        raise ConnectionError("no database")


class Greet(Job):
    def perform(self, *records, **named):
        return [*records, *named.values()]


@pytest.fixture(autouse=True)
def _database():
    User.users = {1: User(1, "Ann"), UUID(int=5): User(UUID(int=5), "Bob")}
    Product.shelf = {}


def test_a_record_is_found_again_by_its_class_or_by_callables():
    Product.shelf["a", 1] = product = Product(("a", 1))

    assert Greet.perform_now(
        User(1, "another object"), Admin(1, "Ann"), Account(7), Product(("a", 1))
    ) == [User.users[1], User.users[1], Account(7), product]


def test_a_record_travels_by_its_id_alone(adapter):
    job = Greet.perform_later(User(1, "Ann"), user=[User(UUID(int=5), "Bob")])

    (payload,) = adapter.pending
    assert "Ann" not in payload.arguments
    assert adapter.perform(payload).result == [User.users[1], [User.users[UUID(int=5)]]]
    assert [user.name for user in job.args] == ["Ann"]


def test_a_record_is_looked_up_when_the_job_runs(adapter):
    Greet.perform_later(User(2, "Cid"))
    User.users[2] = late = User(2, "Cid")

    assert [execution.result for execution in adapter.perform_due()] == [[late]]


@pytest.mark.parametrize("kind", [Guest, Visitor])
def test_a_subclass_travels_as_itself_and_is_found_by_its_own_find(adapter, kind):
    Greet.perform_later(kind(1, "another object"))
    (payload,) = adapter.pending
    (record,) = adapter.perform(payload).result

    assert f'"{__name__}.{kind.__name__}"' in payload.arguments
    assert (type(record), record.name) == (kind, "a guest")


def test_a_subclass_whose_records_were_never_enqueued_here_is_found_by_its_name(adapter):
    Greet.perform_later(Guest(1, "Ann"))
    (payload,) = adapter.pending
    payload.arguments = payload.arguments.replace(f"{__name__}.Guest", f"{__name__}.Member")

    assert [type(record) for record in adapter.perform(payload).result] == [Member]


def test_a_find_is_looked_up_when_it_is_called_so_that_a_test_can_patch_it(monkeypatch):
    found = object()
    monkeypatch.setattr(User, "find", lambda identifier: found)

    assert Greet.perform_now(User(1, "Ann"), Admin(1, "Ann")) == [found, found]
    assert Greet.perform_now(Guest(1, "Ann"))[0].name == "a guest"


def test_a_subclass_that_is_declared_itself_is_found_as_it_says():
    @reference(id="name", find=lambda name: f"found by {name}")
    class Named(User):
        pass

    class Derived(Named):
        pass

    assert Greet.perform_now(Named(1, "Ann"), Derived(1, "Bob")) == ["found by Ann", "found by Bob"]


def test_a_class_that_is_declared_again_is_found_anew_and_so_are_its_subclasses():
    class Order:
        id = 1

    class Rush(Order):
        pass

    for place in ("here", "there"):
        reference(id="id", find=lambda identifier, place=place: place)(Order)

        assert Greet.perform_now(Order(), Rush()) == [place, place]


def test_a_record_without_an_id_or_with_one_that_cannot_be_written_is_refused(adapter):
    with pytest.raises(SerializationError) as raised:
        Greet.perform_later([User(None, "Ann")])
    assert str(raised.value) == (
        "args[0][0] is a User without an id: save it before you enqueue a job with it."
    )
    with pytest.raises(SerializationError, match=r"^kwargs\['user'\]\.id is of type complex, "):
        Greet.perform_later(user=User(1j, "Ann"))
    assert adapter.enqueued == []


_GONE = (
    "does not exist any more: enqueue its job when it is committed, or drop such jobs with "
    "@discard_on(RecordNotFoundError)."
)


@pytest.mark.parametrize(
    ("record", "error", "cause", "text"),
    [
        (User(3, "Dan"), RecordNotFoundError, type(None), f"The User 3 {_GONE}"),
        (Product(("a", 2)), RecordNotFoundError, KeyError, f"The Product ('a', 2) {_GONE}"),
        (
            Unreachable(),
            RecordUnavailableError,
            ConnectionError,
            (
                "The Unreachable 1 could not be looked up, and may exist: try such jobs again with "
                "@retry_on(RecordUnavailableError). The error was ConnectionError: no database"
            ),
        ),
    ],
)
def test_a_record_that_is_not_found_fails_the_job(adapter, record, error, cause, text):
    Greet.perform_later(record)

    (execution,) = adapter.perform_due()

    assert execution.status == "failed"
    assert (type(execution.error), str(execution.error)) == (error, text)
    assert type(execution.error.__cause__) is cause


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (discard_on(RecordNotFoundError), "failed"),
        (discard_on(DeserializationError), "failed"),
        (retry_on(RecordUnavailableError, wait=0, attempts=2), "retried"),
        (retry_on(ConnectionError, wait=0, attempts=2), "retried"),
    ],
)
def test_the_rules_of_the_job_hold_for_a_record_that_cannot_be_looked_up(adapter, rule, status):
    payload = rule(type("Find", (Greet,), {})).perform_later(Unreachable()).payload

    assert adapter.perform(payload).status == status


def test_the_rules_of_the_job_hold_for_a_record_that_is_gone(adapter, drain):
    @retry_on(RecordNotFoundError, wait=0, attempts=2)
    class Find(Job):
        def perform(self, user):
            return user

    Find.perform_later(User(4, "Eve"))
    (payload,) = adapter.pending
    first = adapter.perform(payload)
    User.users[4] = eve = User(4, "Eve")
    (second,) = drain()

    assert (first.status, second.status, second.result) == ("retried", "performed", eve)


def test_a_find_that_the_class_does_not_have_is_refused():
    with pytest.raises(DeclarationError) as raised:

        @reference(id="id", find="load")
        class Order:
            pass

    assert str(raised.value) == (
        "test_a_find_that_the_class_does_not_have_is_refused.<locals>.Order has no method 'load', which "
        "`reference(find='load')` names."
    )


@pytest.mark.parametrize("generation", [1, 2])
def test_of_records_of_one_name_the_last_that_was_declared_is_found(generation):
    @reference(id="id", find="find")
    class Order:
        id = 1

        @classmethod
        def find(cls, id):
            return cls()

    (returned,) = Greet.perform_now(Order())

    assert type(returned) is Order
