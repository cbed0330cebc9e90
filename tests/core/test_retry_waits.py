"""How long a retry waits, with chance at its lowest and at its highest."""

import functools
from datetime import timedelta

import pytest
from tables import each_row

from pytest_jobs import (
    Job,
    Payload,
    exponentially_longer,
    polynomially_longer,
    retry_on,
    sidekiq_backoff,
)
from pytest_jobs.core.foundation.settings import settings
from pytest_jobs.errors import DeclarationError, WaitError

SECOND = 10**9
HIGHEST = 1 - 2**-53


class Failing(Job):
    def perform(self):
        raise ValueError("boom")


def _executions(drain, wait, attempts=5, **options):
    @retry_on(ValueError, wait=wait, attempts=attempts, **options)
    class Job(Failing):
        pass

    Job.perform_later()
    return drain()[:-1]


def _waits(drain, *args, **options):
    return [execution.wait_ns / SECOND for execution in _executions(drain, *args, **options)]


def _thrice(failures):
    return failures * 3


def _for_error(failures, error):
    return timedelta(minutes=failures) if str(error) == "boom" else 0


def _or_error(failures, error=None):
    return timedelta(minutes=failures) if str(error) == "boom" else failures


def _or_some_error(failures, error=ValueError("other")):  # noqa: B008 - never changed
    return failures * len(str(error))


def _with_a_base(failures, base=10):
    return failures * base


def _with_a_cap(failures, cap=timedelta(seconds=3)):
    return min(timedelta(seconds=failures * 2), cap)


def _and_rest(failures, *rest):
    return failures * len(rest)


def _only_rest(*rest):
    return sum(rest)


class Growing:
    step = 2

    def __call__(self, failures):
        return failures * self.step

    def of(self, failures, error):
        return failures * self.step + len(str(error))


def _jitter_alone(failures, jitter=5):
    return failures + jitter


class WithoutSignature:
    __signature__ = "unknown"

    def __call__(self, failures):
        return failures


def _own_backoff(failures, *, jitter=0.0, draw=0.0):
    return failures * 10 + 100 * jitter * draw


KINDS = [
    (5, [5, 5, 5, 5], 0.15),
    (0, [0, 0, 0, 0], 0.15),
    (0.5, [0.5, 0.5, 0.5, 0.5], 0.15),
    (timedelta(minutes=2), [120, 120, 120, 120], 0.15),
    (polynomially_longer, [3, 18, 83, 258], None),
    (exponentially_longer(), [1, 2, 4, 8], 0.15),
    (exponentially_longer, [1, 2, 4, 8], 0.15),
    (exponentially_longer(base=10, factor=3), [10, 30, 90, 270], 0.15),
    (exponentially_longer(base=10, factor=3, cap=100), [10, 30, 90, 100], 0.15),
    (exponentially_longer(factor=1), [1, 1, 1, 1], 0.15),
    (sidekiq_backoff, [15, 16, 31, 96], None),
    (_own_backoff, [10, 20, 30, 40], None),
    (_thrice, [3, 6, 9, 12], 0),
    (lambda failures: timedelta(seconds=failures), [1, 2, 3, 4], 0),
    (_for_error, [60, 120, 180, 240], 0),
    (_or_error, [60, 120, 180, 240], 0),
    (_or_some_error, [4, 8, 12, 16], 0),
    (lambda failures, error=None: 7 if error else 0, [7, 7, 7, 7], 0),
    (functools.partial(_or_error), [60, 120, 180, 240], 0),
    (_with_a_base, [10, 20, 30, 40], 0),
    (_with_a_cap, [2, 3, 3, 3], 0),
    (_and_rest, [1, 2, 3, 4], 0),
    (_only_rest, [1, 2, 3, 4], 0),
    (Growing(), [2, 4, 6, 8], 0),
    (Growing().of, [6, 8, 10, 12], 0),
    (functools.partial(pow, 2), [2, 4, 8, 16], 0),
    (float, [1, 2, 3, 4], 0),
    (WithoutSignature(), [1, 2, 3, 4], 0),
    (_jitter_alone, [6, 7, 8, 9], 0),
]


@pytest.mark.parametrize(("wait", "expected", "jitter"), KINDS)
def test_without_chance_a_wait_is_what_was_declared(drain, wait, expected, jitter):
    assert _waits(drain, wait) == expected


@pytest.mark.parametrize(("wait", "expected", "jitter"), [k for k in KINDS if k[2] is not None])
def test_chance_adds_its_share_to_a_wait_at_most(adapter, drain, wait, expected, jitter):
    with settings.replace(adapter=adapter, draw=lambda: HIGHEST):
        waits = _waits(drain, wait)

    assert waits == pytest.approx([seconds * (1 + jitter) for seconds in expected], abs=1e-6)


@each_row(
    ("what", "wait", "draw", "options", "expected"),
    [
        ("to the power alone", polynomially_longer, HIGHEST, {}, [3.15, 20.4, 95.15, 296.4]),
        ("whole seconds", sidekiq_backoff, HIGHEST, {}, [15 + 9, 16 + 19, 31 + 29, 96 + 39]),
        ("as a backoff says", _own_backoff, 0.5, {"jitter": 0.5}, [35, 45, 55, 65]),
    ],
)
def test_what_chance_adds_to_a_wait_that_knows_of_it(
    adapter, drain, what, wait, draw, options, expected
):
    with settings.replace(adapter=adapter, draw=lambda: draw):
        assert _waits(drain, wait, **options) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("wait", "jitter", "bounds"),
    [
        (100, 0.15, (100, 115)),
        (100, 0, (100, 100)),
        (100, 1, (100, 200)),
        (polynomially_longer, 0.15, (3, 3.15)),
        (sidekiq_backoff, 0.15, (15, 24)),
        (sidekiq_backoff, 0, (15, 15)),
        (_thrice, 0.5, (3, 3)),
    ],
)
def test_the_bounds_of_a_wait_are_known(drain, wait, jitter, bounds):
    (execution,) = _executions(drain, wait, attempts=2, jitter=jitter)

    low, high = execution.wait_bounds_ns
    assert (low / SECOND, high / SECOND) == pytest.approx(bounds, abs=1e-6)


def test_the_wait_is_three_seconds_unless_it_says_otherwise(drain):
    retry_on(ValueError)(type("Job", (Failing,), {})).perform_later()

    assert [execution.wait_ns for execution in drain()[:-1]] == [3 * SECOND] * 4


def test_chance_comes_from_the_settings_of_the_process():
    assert all(0 <= settings.draw() < 1 for _ in range(100))
    assert len({settings.draw() for _ in range(100)}) > 1


def test_a_polynomial_wait_goes_on():
    assert [polynomially_longer(failures) for failures in range(1, 11)] == [
        3,
        18,
        83,
        258,
        627,
        1298,
        2403,
        4098,
        6563,
        10002,
    ]


def test_twenty_five_sidekiq_retries_take_twenty_days(drain):
    waits = _waits(drain, sidekiq_backoff, attempts=26)

    assert len(waits) == 25
    assert waits[-1] == 331_791
    assert sum(waits) == 1_763_395


_NO_NUMBER = "must be a number of seconds such as 30, or timedelta(minutes=5), got {!r}."
_NO_WAIT = "is {!r}: a wait is finite and not negative. Write 0 for no wait."


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        *((result, _NO_NUMBER) for result in (None, "5", True)),
        *((result, _NO_WAIT) for result in (-1, float("nan"), timedelta(seconds=-1))),
    ],
)
def test_a_callable_that_returns_no_wait_fails_the_job(adapter, result, problem):
    def wait(failures):
        return result

    for callable_ in (wait, functools.partial(wait)):
        retry_on(ValueError, wait=callable_)(type("Job", (Failing,), {})).perform_later()
    named, nameless = adapter.perform_due()

    assert named.status == "failed"
    assert type(named.error) is WaitError
    assert str(named.error) == (
        "the result of wait=test_a_callable_that_returns_no_wait_fails_the_job.<locals>.wait "
        f"{problem.format(result)}"
    )
    assert str(nameless.error).startswith("the result of wait=functools.partial(<function ")
    assert type(named.error.__context__) is ValueError
    assert len(adapter.dead) == 2


def _raise(failures):
    raise KeyError("no such header")


@pytest.mark.parametrize("wait", [_raise, lambda failures: None], ids=["raises", "None"])
def test_the_error_of_the_job_is_named_when_no_wait_comes_of_it(adapter, wait):
    retry_on(ValueError, wait=wait)(type("Job", (Failing,), {})).perform_later()
    (execution,) = adapter.perform_due()

    assert execution.status == "failed"
    assert type(execution.error) is (KeyError if wait is _raise else WaitError)
    assert execution.error.__notes__ == [
        "The job had raised ValueError: boom. It has no next attempt, since its wait could not be computed."
    ]


@each_row(
    "options",
    [
        {"base": 0},
        {"base": -1},
        {"base": float("nan")},
        {"factor": 0.5},
        {"factor": float("nan")},
        {"cap": 0},
        {"cap": float("nan")},
    ],
)
def test_an_exponential_wait_that_does_not_grow_is_refused(options):
    with pytest.raises(DeclarationError) as raised:
        exponentially_longer(**options)

    shown = {"base": 1.0, "factor": 2.0, "cap": None, **options}
    assert str(raised.value) == (
        f"exponentially_longer(base={shown['base']!r}, factor={shown['factor']!r}, cap={shown['cap']!r}) "
        "does not grow: base and cap must be above 0 seconds and factor at least 1."
    )


def _after(failures, wait):
    job = retry_on(ValueError, wait=wait, attempts=None)(type("Job", (Failing,), {}))
    return Payload(
        job, "Job", "id", "default", None, "[[],{}]", 1, {"builtins.ValueError": failures}, 0, None
    )


def test_an_exponential_wait_beyond_all_numbers_is_its_cap(adapter):
    execution = adapter.perform(_after(2000, exponentially_longer(cap=3600)))

    assert (execution.status, execution.wait_ns) == ("retried", 3600 * SECOND)


@pytest.mark.parametrize("numbers", [(1.0, 2.0), (1, 2)], ids=["floats", "ints"])
def test_an_exponential_wait_beyond_all_numbers_without_a_cap_fails_the_job(adapter, numbers):
    execution = adapter.perform(_after(2000, exponentially_longer(*numbers)))

    assert execution.status == "failed"
    assert str(execution.error) == (
        "the result of wait=exponentially_longer.<locals>.backoff is inf: a wait is finite and not "
        "negative. Write 0 for no wait."
    )
