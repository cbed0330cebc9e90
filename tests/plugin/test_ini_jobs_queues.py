"""`jobs_queues` names the file of the workers, and the verbs of every test take jobs as they do."""

import pytest

SIDEKIQ = """\
:concurrency: 10
:queues:
  - critical
  - default
  - low
:max_retries: 25
:dead_max_jobs: 1
:timeout: 25
"""
WEIGHTED = """\
:queues:
  - [critical, 6]
  - [default, 3]
  - [low, 1]
"""
MODULE = """
    import pytest
    from pytest_jobs import Queues, job, load_queues, open_jobs

    @job
    def run(number):
        pass

    def enqueue():
        for number in range(10):
            for queue in ("low", "default", "critical"):
                run.set(queue=queue).perform_later(number)

    def taken(jobs):
        enqueue()
        jobs.drain()
        return [d.record.queue for d in jobs.deliveries]

    STRICT = ["critical"] * 10 + ["default"] * 10 + ["low"] * 10
    PLAIN = ["low", "default", "critical"] * 10

"""
STRICT_LINE = (
    "jobs: queues critical before default before low by sidekiq.yml "
    "(not its concurrency, max_retries, timeout)"
)


@pytest.fixture
def project(pytester):
    """Return a function that runs a module under a file of workers and the line that names it."""

    def run(test, *, line="jobs_queues = config/sidekiq.yml", file=SIDEKIQ):
        config = pytester.mkdir("config")
        (config / "sidekiq.yml").write_text(file, "utf-8")
        pytester.makeini(f"[pytest]\n{line}\n")
        pytester.makepyfile(MODULE + test)
        return pytester.runpytest()

    return run


def test_every_test_takes_in_the_order_of_the_file_and_a_marker_names_another(project):
    result = project("""
    def test_every_test_takes_in_the_order_of_the_file(jobs):
        assert taken(jobs) == STRICT
        assert jobs.queues.concurrency == 10

    def test_another(jobs):
        assert taken(jobs) == STRICT

    def test_the_limit_of_dead_letters_is_that_of_the_file(jobs):
        jobs.fail(run, raising=ValueError)
        enqueue()
        jobs.drain(raise_errors=False)
        assert len(jobs.dead) == 1

    @pytest.mark.jobs(queues=None)
    def test_none(jobs):
        assert taken(jobs) == PLAIN

    @pytest.mark.jobs(queues=Queues(["low", "default", "critical"]))
    def test_queues(jobs):
        assert taken(jobs) == STRICT[::-1]

    @pytest.mark.jobs(queues="config/sidekiq.yml")
    def test_file(jobs):
        assert taken(jobs) == STRICT

    def test_it_can_be_said_later(jobs):
        jobs.serve(Queues(["low", "default", "critical"]))
        assert taken(jobs) == STRICT[::-1]

    def test_another_harness_is_another(jobs):
        with open_jobs() as own:
            assert taken(own) == PLAIN

    @pytest.mark.jobs(mode="inline")
    def test_inline_mode_has_them_too(jobs):
        run.set(queue="critcal").perform_later(1)

    @pytest.mark.jobs(queues=['critical'])
    def test_a_list(): pass

    @pytest.mark.jobs(queues='config/sidekiq.yaml')
    def test_no_file(): pass
    """)

    result.assert_outcomes(passed=8, failed=1, errors=2)
    assert STRICT_LINE in result.stdout.lines
    result.stdout.fnmatch_lines_random(
        [
            "*UnservedQueueError: Inline mode leaves jobs that no worker serves*'critcal'*",
            "@pytest.mark.jobs of *::test_a_list: queues is [[]'critical']; it is a file, Queues(...), or None *",
            "@pytest.mark.jobs of *::test_no_file: queues: *sidekiq.yaml cannot be read: *",
        ]
    )


def test_without_it_the_order_is_that_of_enqueueing(project):
    project(
        """
    def test_it(jobs):
        assert jobs.queues is None
        assert taken(jobs) == PLAIN
    """,
        line="",
    ).assert_outcomes(passed=1)


def test_draws_are_the_same_in_every_test(project):
    result = project(
        """
    found = []

    @pytest.mark.parametrize("time", [1, 2])
    def test_it(jobs, time):
        found.append(taken(jobs))

    def test_they_are_the_same(jobs):
        first, second = found
        assert first == second
        assert first not in (STRICT, PLAIN)
    """,
        file=WEIGHTED,
    )

    result.assert_outcomes(passed=3)
    line = "jobs: queues critical 6, default 3, low 1, seed 0 by sidekiq.yml"
    assert line in result.stdout.lines


def test_the_environment_stands_behind_the_file(project):
    project(
        """
    def test_it(jobs):
        assert taken(jobs) == STRICT
    """,
        line="jobs_queues = config/sidekiq.yml production",
        file=":concurrency: 5\nproduction:\n  :queues: [critical, default, low]\n",
    ).assert_outcomes(passed=1)


def test_the_file_is_found_from_another_directory(project, pytester, monkeypatch):
    project("""
    def test_it(jobs):
        assert taken(jobs) == STRICT
    """)
    monkeypatch.chdir(pytester.path / "config")

    pytester.runpytest("..").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "config/queue.yml",
            "jobs_queues: *config*queue.yml cannot be read: *No such file or directory: *.",
        ),
        (
            "config/sidekiq.yml production",
            "jobs_queues: sidekiq.yml has no environment 'production': it has none, so leave environment= out.",
        ),
        (
            "config/sidekiq.yml a b",
            "jobs_queues is 'config/sidekiq.yml a b'; it is a file, and its environment where it has any.",
        ),
    ],
)
def test_a_wrong_setting_stops_the_run(project, setting, message):
    result = project("def test_it(): pass", line=f"jobs_queues = {setting}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
