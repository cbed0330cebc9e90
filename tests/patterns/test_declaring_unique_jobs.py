"""Declarations that cannot be meant are refused when they are made."""

import pytest
from tables import each_row

from pytest_jobs import Job, job, unique
from pytest_jobs.errors import DeclarationError, WaitError

ALL = "There are executed, executing, expired, while_executing, until_and_while_executing."
WAYS = "There are drop, log, raise, replace, reschedule, reject."
AT_ENQUEUE = "There write drop, log, replace."
AT_PERFORM = "There write drop, log, raise, reschedule, reject."
NAMES = "`perform_later` returns the job, and its `dropped_for` names the other"


@each_row(
    ("options", "message"),
    [
        (
            {"until": "until_executed"},
            f"unique(until='until_executed') is not a kind of lock: did you mean 'executed'? {ALL}",
        ),
        ({"until": "ever"}, f"unique(until='ever') is not a kind of lock. {ALL}"),
        ({"until": None}, f"unique(until=None) is not a kind of lock. {ALL}"),
        (
            {"until": ["executed"]},
            f"unique(until=['executed']) is not a kind of lock: did you mean 'executed'? {ALL}",
        ),
        (
            {"on_conflict": "reshedule"},
            (
                f"unique(on_conflict='reshedule') is not a way to deal with a conflict: "
                f"did you mean 'reschedule'? {WAYS}"
            ),
        ),
        (
            {"on_conflict": None},
            f"unique(on_conflict=None) is not a way to deal with a conflict. {WAYS}",
        ),
        (
            {"on_conflict": {"enqueue": "no"}},
            f"unique(on_conflict='no') is not a way to deal with a conflict. {WAYS}",
        ),
        (
            {"until": "expired"},
            (
                "unique(until='expired') without a ttl would let one job through, and never another: write "
                "ttl=timedelta(hours=1), say."
            ),
        ),
        (
            {"ttl": 0},
            (
                "unique(ttl=0) is a lock that ends as it begins: write a longer one, or None for a lock "
                "without a time."
            ),
        ),
        (
            {"on_conflict": "raise"},
            (
                "unique(until='executed', on_conflict='raise') cannot be: this lock keeps a job out at "
                f"'enqueue', and {NAMES}. {AT_ENQUEUE}"
            ),
        ),
        (
            {"until": "executing", "on_conflict": "reject"},
            (
                "unique(until='executing', on_conflict='reject') cannot be: this lock keeps a job out at "
                f"'enqueue', and a job that was never enqueued is not a dead letter. {AT_ENQUEUE}"
            ),
        ),
        (
            {"until": "expired", "ttl": 1, "on_conflict": "reschedule"},
            (
                "unique(until='expired', on_conflict='reschedule') cannot be: this lock keeps a job out at "
                f"'enqueue', and a job that is to come later is enqueued with `set(wait=...)`. {AT_ENQUEUE}"
            ),
        ),
        (
            {"until": "while_executing", "on_conflict": "replace"},
            (
                "unique(until='while_executing', on_conflict='replace') cannot be: this lock keeps a job out at "
                f"'perform', and a job that runs cannot be replaced. {AT_PERFORM}"
            ),
        ),
        (
            {"until": "until_and_while_executing", "on_conflict": "raise"},
            (
                "unique(until='until_and_while_executing', on_conflict='raise') cannot be: this lock keeps a "
                f"job out at 'enqueue', and {NAMES}. {AT_ENQUEUE} It does so at 'perform' too: if that is meant "
                "write on_conflict={'perform': 'raise'}."
            ),
        ),
        (
            {"until": "until_and_while_executing", "on_conflict": "replace"},
            (
                "unique(until='until_and_while_executing', on_conflict='replace') cannot be: this lock keeps a "
                f"job out at 'perform', and a job that runs cannot be replaced. {AT_PERFORM} It does so at "
                "'enqueue' too: if that is meant write on_conflict={'enqueue': 'replace'}."
            ),
        ),
        (
            {"on_conflict": {"perform": "drop"}},
            (
                "unique(until='executed', on_conflict={'perform': 'drop'}) says what happens at 'perform', "
                "where this lock keeps nothing out: it does so at 'enqueue'."
            ),
        ),
        (
            {"until": "until_and_while_executing", "on_conflict": {"client": "drop"}},
            (
                "unique(until='until_and_while_executing', on_conflict={'client': 'drop'}) says what happens at "
                "'client', where this lock keeps nothing out: it does so at 'enqueue' and 'perform'."
            ),
        ),
        (
            {"scope": ""},
            (
                "unique(scope='') names nothing: write a text, which jobs that share it have in common, or "
                "leave it out."
            ),
        ),
        (
            {"key": 7},
            (
                "unique(key=7) is not a key: write the name of a parameter, several in a tuple, or a function of "
                "the arguments of the job."
            ),
        ),
        (
            {"key": [7]},
            (
                "unique(key=[7]) is not a key: write the name of a parameter, several in a tuple, or a "
                "function of "
                "the arguments of the job."
            ),
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(options, message):
    with pytest.raises(DeclarationError) as caught:
        unique(**options)

    assert str(caught.value) == message


def test_a_time_that_is_no_duration_is_refused_and_what_fits_every_side_taken():
    for ttl in (-1, "1h"):
        with pytest.raises(WaitError, match=r"^ttl (is|must be) "):
            unique(ttl=ttl)
    for until in ("executed", "executing", "until_and_while_executing"):
        for strategy in ("drop", "log", {"enqueue": "replace"}):
            unique(until=until, on_conflict=strategy)


def perform(user_id, full=False, **more): ...


async def key_of(user_id, full=False, **more): ...


WITHOUT = (
    "@unique stands above perform without parentheses, so that the job would be taken for a key: write @unique(), "
    "or @unique('user_id') with the name of a parameter."
)


@each_row(
    ("declare", "message"),
    [
        (
            lambda: unique("user")(job(perform)),
            (
                "unique(key='user') names no parameter of perform: did you mean 'user_id'? Its parameters: "
                "user_id, full."
            ),
        ),
        # Neither other keywords nor self.
        *(
            (
                lambda name=name: unique(name)(job(perform)),
                f"unique(key='{name}') names no parameter of perform. Its parameters: user_id, full.",
            )
            for name in ("more", "self")
        ),
        (
            lambda: unique(lambda: 1)(job(perform)),
            (
                "unique(key=...) is called with the arguments of perform(user_id, full=False, **more), and does "
                "not take them: too many positional arguments."
            ),
        ),
        (
            lambda: unique(key_of),
            (
                f"unique(key={key_of!r}) is a coroutine function, and a key is made where nothing is awaited: "
                "write a plain function of the arguments of the job."
            ),
        ),
        (
            lambda: unique()(perform),
            (
                f"@unique decorates {perform!r}, which is not a job: put it above a class derived from Job, or "
                "above @job."
            ),
        ),
        (lambda: unique(job(perform)), WITHOUT),
        (lambda: unique(job(perform).job_class), WITHOUT),
        (
            lambda: job(unique(perform)),
            (
                "@job stands above @unique without parentheses, which has taken the function for something else: "
                "write @unique() above @job."
            ),
        ),
        (
            lambda: unique()(unique("user_id")(job(perform))),
            (
                "perform is declared @unique twice, and a job has one such declaration: leave one of them out."
            ),
        ),
    ],
)
def test_a_decorator_that_cannot_be_meant_is_refused(declare, message):
    with pytest.raises(DeclarationError) as caught:
        declare()

    assert str(caught.value) == message


def test_a_key_is_checked_in_a_class_that_inherits_it():
    @unique("user_id")
    class Base(Job): ...

    with pytest.raises(DeclarationError) as caught:

        class Child(Base):
            def perform(self): ...

    assert str(caught.value) == (
        f"unique(key='user_id') names no parameter of {Base.__qualname__[:-4]}Child. Its parameters: none."
    )
