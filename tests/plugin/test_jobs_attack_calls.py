"""`--jobs-attack-calls`: direct calls of a task in a test are attacked like deliveries."""

from __future__ import annotations

import sys

import pytest

needs_monitoring = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="--jobs-crash needs Python 3.12"
)

CORE = """
    from pytest_jobs import Job, job

    points = []
    paid = set()

    @job
    def add(number):
        points.append(number)
        return len(points)

    @job
    def pay(number):
        paid.add(number)

    @job
    def pay_and_tell(number):
        if number in paid:
            return
        pay.perform_later(number)
        paid.add(number)

    @job
    async def add_on_loop(number):
        points.append(number)

    @job
    def refuse(number):
        points.append(number)
        raise LookupError(number)

    @job
    def refuse_again(numbers):
        number = numbers.pop()
        if number in paid:
            raise LookupError(number)
        paid.add(number)

    @job
    def outer(number):
        if not points:
            add(number)

    class Add(Job):
        def perform(self, number):
            points.append(number)
"""


@pytest.fixture(autouse=True)
def project(pytester):
    pytester.makepyfile(ledger=CORE)
    pytester.makeconftest(
        """
        import pytest
        import ledger

        @pytest.fixture(autouse=True)
        def fresh():
            ledger.points.clear()
            ledger.paid.clear()
        """
    )


def run(pytester, text, *arguments):
    pytester.makepyfile(test_it=text)
    return pytester.runpytest(*arguments)


TESTS = """
    import asyncio
    import ledger

    def test_adding():
        assert ledger.add(5) == 1
        assert ledger.points == [5]

    def test_adding_by_name():
        ledger.Add.perform_now(5)
        assert ledger.points == [5]

    def test_adding_on_a_loop():
        asyncio.run(ledger.add_on_loop(5))
        assert ledger.points == [5]

    def test_paying():
        ledger.pay(7)
        assert ledger.paid == {7}
"""


OTHERS = """
    import pytest

    @pytest.fixture
    def seeded():
        ledger.add(1)

    def test_of_a_fixture(seeded):
        assert ledger.points == [1]

    def test_one_that_raises_is_not_repeated():
        with pytest.raises(LookupError):
            ledger.refuse(5)
        assert ledger.points == [5]

    def test_calls_within_a_call_are_a_part_of_it():
        ledger.outer(5)
        assert ledger.points == [5]

    def test_what_a_second_call_enqueues_is_hidden(jobs, assert_enqueued):
        ledger.paid.add(8)
        send(8)
        assert_enqueued(ledger.pay)

    @ledger.job
    def send(number):
        ledger.pay.perform_later(number)

    def test_a_second_call_that_fails_gets_the_arguments_of_the_first(jobs):
        ledger.refuse_again([7])
"""


@pytest.mark.parametrize("by_file", [False, True])
def test_a_direct_call_is_made_twice_and_the_test_gets_what_the_first_returned(pytester, by_file):
    if by_file:
        pytester.makeini("[pytest]\njobs_attack_calls = true")
    result = run(
        pytester, TESTS + OTHERS, "--jobs-twice", *([] if by_file else ["--jobs-attack-calls"])
    )

    result.assert_outcomes(passed=5, failed=4)
    result.stdout.fnmatch_lines(
        [
            "add, delivered twice, breaks this test; without second deliveries it passes.",
            "- add(5) was delivered again",
            "Add, delivered twice, breaks this test; without second deliveries it passes.",
            "add_on_loop, delivered twice, breaks this test; without second deliveries it passes.",
            "- refuse_again([[]7]) was delivered again, and failed: LookupError: 7",
            "7 deliveries of 7 jobs made once more, in 7 tests of 9.",
        ]
    )


@needs_monitoring
def test_a_direct_call_is_killed_at_its_points_and_made_again(pytester):
    result = run(
        pytester,
        """
        import ledger

        def test_adding():
            ledger.outer(5)
            assert ledger.points == [5]

        def test_adding_twice():
            ledger.add(5)
            ledger.add(6)
            assert ledger.points == [5, 6]

        def test_enqueueing(jobs, assert_enqueued):
            ledger.pay_and_tell(7)
            assert_enqueued(ledger.pay)
        """,
        "--jobs-crash",
        "--jobs-attack-calls",
    )

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "- add(5)",
            "- killed before line * of add: return len(points) (ledger.py:*)",
            "- delivered again at once, and done",
            "- pay_and_tell(7)",
            "- killed after enqueue: pay(7) (ledger.py:*)",
        ]
    )


def test_without_the_option_they_are_left_alone_and_it_is_named(pytester):
    result = run(pytester, TESTS, "--jobs-twice")

    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "No job was delivered twice, *: * For tests that call tasks directly, such as task(1), add *"
        ]
    )


def test_it_needs_an_attack(pytester):
    result = run(pytester, TESTS, "--jobs-attack-calls")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*this run attacks nothing: add --jobs-twice or --jobs-crash."])


#: What a library has of tasks, and the expressions that call them.
TASKS = {
    "celery": (
        """
        from celery import Celery

        app = Celery("shop", broker="redis://redis.invalid/0")

        # A shared one would be there twice in a process that runs this file twice.
        @app.task(shared=False)
        def add(number):
            ledger.points.append(number)
            return len(ledger.points)

        @app.task(bind=True, shared=False)
        def bound(self, number):
            ledger.points.append(number)
            return self.request.id and len(ledger.points)

        enqueue = add.delay
        """,
        ["add(5)", "add.run(5)", "add.apply((5,)).get()", "bound.apply(args=[5]).get()"],
    ),
    "taskiq": (
        """
        import asyncio
        from taskiq import InMemoryBroker

        broker = InMemoryBroker()

        @broker.task
        async def add(number):
            ledger.points.append(number)
            return len(ledger.points)

        @broker.task
        def add_here(number):
            ledger.points.append(number)
            return len(ledger.points)

        def enqueue(number):
            asyncio.run(add.kiq(number))
        """,
        ["asyncio.run(add(5))", "add_here(5)"],
    ),
    "dramatiq": (
        """
        import dramatiq
        from dramatiq.brokers.stub import StubBroker

        @dramatiq.actor(broker=StubBroker())
        def add(number):
            ledger.points.append(number)
            return len(ledger.points)

        enqueue = add.send
        """,
        ["add(5)"],
    ),
    "huey": (
        """
        from huey import MemoryHuey

        @MemoryHuey().task(context=True)
        def add(number, task=None):
            ledger.points.append(number)
            return len(ledger.points)

        enqueue = add
        """,
        ["add.call_local(5)"],
    ),
    "procrastinate": (
        """
        import asyncio
        from procrastinate import App
        from procrastinate.testing import InMemoryConnector

        app = App(connector=InMemoryConnector())

        @app.task
        async def add(number):
            ledger.points.append(number)
            return len(ledger.points)

        def enqueue(number):
            add.defer(number=number)
        """,
        ["asyncio.run(add(5))"],
    ),
}


@pytest.mark.parametrize("library", TASKS)
@pytest.mark.parametrize(
    "attack", ["--jobs-twice", pytest.param("--jobs-crash", marks=needs_monitoring)]
)
def test_direct_calls_of_libraries(pytester, library, attack):
    pytest.importorskip(library)
    declared, calls = TASKS[library]
    result = run(
        pytester,
        f"""
        import ledger
        import pytest
        {declared}
        @pytest.mark.parametrize("call", [{", ".join(f"lambda: {call}" for call in calls)}])
        def test_calling(call):
            assert call() == 1
            assert ledger.points == [5]

        def test_performing(jobs):
            enqueue(6)
            jobs.drain()
            assert ledger.points == [6]
        """,
        attack,
        "--jobs-attack-calls",
    )

    tests = len(calls) + 1
    others = {"celery": 1, "taskiq": 1}.get(library, 0)
    result.assert_outcomes(failed=tests)
    result.stdout.fnmatch_lines([f"*add broke {tests - others} tests:"])
    if attack == "--jobs-twice":
        jobs = f"{1 + others} job{'s' * others}"
        result.stdout.fnmatch_lines(
            [f"{tests} deliveries of {jobs} made once more, in {tests} tests of {tests}."]
        )


def test_direct_calls_of_django_tasks(pytester):
    pytest.importorskip("django_tasks")
    result = run(
        pytester,
        """
        import asyncio
        import django_project
        import ledger

        django_project.configure()

        from django_tasks import task

        @task()
        def add(number):
            ledger.points.append(number)
            return number

        def test_calling():
            assert add.call(5) == 5
            assert ledger.points == [5]

        def test_awaiting():
            assert asyncio.run(add.acall(5)) == 5
            assert ledger.points == [5]
        """,
        "--jobs-twice",
        "--jobs-attack-calls",
    )

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["test_it.add broke 2 tests:"])


@pytest.mark.parametrize(
    "attack", ["--jobs-twice", pytest.param("--jobs-crash", marks=needs_monitoring)]
)
def test_a_call_in_the_world_of_a_check_is_a_part_of_the_world(pytester, attack):
    result = run(
        pytester,
        """
        import ledger
        from pytest_jobs import check_idempotent

        def world():
            ledger.points.clear()
            ledger.paid.clear()
            ledger.add(5)
            yield lambda: {"paid": set(ledger.paid)}

        def pay_for_one(number):
            assert len(ledger.points) == 1
            ledger.paid.add(number)

        def other():
            ledger.add.job_class.perform_now(6)
            ledger.points.pop()

        def test_it(jobs):
            ledger.pay(7)
            explored = check_idempotent(
                pay_for_one, args=(5,), world=world, histories="all", others=[other]
            )
            assert explored.histories > 5
        """,
        attack,
        "--jobs-attack-calls",
    )

    result.assert_outcomes(passed=1)
