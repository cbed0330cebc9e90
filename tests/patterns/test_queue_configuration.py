"""The files of workers: which queues they serve in which order, and what is wrong with them."""

import builtins
import sys

import pytest

from pytest_jobs import Queues, load_queues
from pytest_jobs.errors import QueuesError

SEED = """\
:concurrency: 10

:queues:
  - [critical, 6]    # 6x weight
  - [default, 3]     # 3x weight
  - [low, 1]         # 1x weight
  - [mailers, 2]     # For ActionMailer

# Production with memory limits
:max_retries: 25
:dead_max_jobs: 10000
"""
ENVIRONMENTS = """\
:concurrency: 5
:queues: [critical, default]
staging:
  :concurrency: 10
production:
  :concurrency: 20
  :queues:
    - [critical, 2]
    - default
"""


def refused(path, **options):
    with pytest.raises(QueuesError) as caught:
        load_queues(path, **options)
    return str(caught.value)


@pytest.fixture
def sidekiq(write):
    """Return a function that says what is wrong with a file of Sidekiq."""
    return lambda text, **options: refused(write("sidekiq.yml", text), **options)


@pytest.fixture
def solid_queue(write):
    """Return a function that says what is wrong with a file of Solid Queue."""
    return lambda text, **options: refused(write("queue.yml", text), **options)


# Sidekiq's


def test_the_file_of_the_seed(write):
    queues = load_queues(write("sidekiq.yml", SEED))

    assert queues.names == ("critical", "default", "low", "mailers")
    assert queues.weights == {"critical": 6, "default": 3, "low": 1, "mailers": 2}
    assert not queues.strict
    assert (queues.concurrency, queues.max_retries, queues.attempts) == (10, 25, 26)
    assert (queues.dead_max_jobs, queues.dead_timeout) == (10_000, None)
    assert (queues.source, queues.left_out) == ("sidekiq.yml", ())
    assert repr(queues) == "<Queues critical 6, default 3, low 1, mailers 2, seed 0>"


@pytest.mark.parametrize(
    "listed", ["[critical, ' default ', low]", "\n  - :critical\n  - default\n  - :low"]
)
def test_names_without_weights_are_in_strict_order(write, listed):
    queues = load_queues(write("sidekiq.yml", f":queues: {listed}\n"))

    assert queues.strict
    assert queues.weights == {}
    assert repr(queues) == "<Queues critical before default before low>"


@pytest.mark.parametrize(
    "listed", ["[[critical, 2], low]", "['critical,2', low]", "['critical, 2', low]"]
)
def test_a_missing_weight_beside_others_is_one(write, listed):
    queues = load_queues(write("sidekiq.yml", f"queues: {listed}\n"), seed=7)

    assert queues.weights == {"critical": 2, "low": 1}
    assert repr(queues) == "<Queues critical 2, low 1, seed 7>"


def test_an_environment_changes_what_stands_outside_of_all(write):
    path = write("sidekiq.yml", ENVIRONMENTS)
    staging = load_queues(path, environment="staging")
    production = load_queues(path, environment="production")

    assert (staging.names, staging.strict) == (("critical", "default"), True)
    assert staging.concurrency == 10
    assert production.weights == {"critical": 2, "default": 1}
    assert production.concurrency == 20


def test_what_means_nothing_here_is_named(write):
    text = ":queues: [default]\n:timeout: 25\n:dead_timeout_in_seconds: 60\n:scheduler:\n  :schedule: {}\n"
    queues = load_queues(write("sidekiq.yml", text))

    assert queues.left_out == ("timeout", "scheduler")
    assert queues.dead_timeout == 60


def test_an_unknown_key_is_refused_with_the_nearest(sidekiq):
    assert sidekiq(":queues: [default]\n:concurency: 5\n") == (
        "sidekiq.yml has a key 'concurency', which means nothing to Sidekiq: did you mean 'concurrency'? Read "
        "here are queues, concurrency, max_retries, dead_max_jobs, dead_timeout_in_seconds."
    )
    assert sidekiq(":queues: [default]\nproduction:\n  xyz: 5\n", environment="production") == (
        "sidekiq.yml: production has a key 'xyz', which means nothing to Sidekiq. Read here are queues, "
        "concurrency, max_retries, dead_max_jobs, dead_timeout_in_seconds."
    )


def test_the_key_that_was_meant_may_be_one_of_solid_queue(solid_queue):
    assert solid_queue("worker:\n  - queues: [default]\n").startswith(
        "queue.yml has a key 'worker', which means nothing to Sidekiq: did you mean 'workers'? "
    )


def test_environments_have_to_be_named(sidekiq):
    assert sidekiq(ENVIRONMENTS) == (
        "sidekiq.yml has values for environments of their own: name one of staging, production, as in "
        "environment='staging'."
    )
    assert sidekiq(ENVIRONMENTS, environment="prod") == (
        "sidekiq.yml has no environment 'prod': there are staging, production."
    )
    assert sidekiq(SEED, environment="production") == (
        "sidekiq.yml has no environment 'production': it has none, so leave environment= out."
    )


@pytest.mark.parametrize("text", [":concurrency: 5\n", ":queues: []\n", ":queues:\n"])
def test_a_file_without_queues_is_refused(sidekiq, text):
    assert sidekiq(text) == (
        "sidekiq.yml names no queues, so that Sidekiq serves 'default' alone: if that is meant write `:queues:` "
        "with `- default` below it."
    )


@pytest.mark.parametrize("weight", ["0", "-1", "1.5", "'6'", "six", "null", "true"])
def test_a_weight_is_a_number_from_one(sidekiq, weight):
    message = sidekiq(f":queues:\n  - [critical, {weight}]\n")

    assert message.startswith("sidekiq.yml: 'critical' has the weight ")
    assert message.endswith(
        ": write an int of at least 1, or leave the queue out for workers that are not to serve it."
    )


def test_a_weight_in_a_text_is_one_too(sidekiq):
    assert "'critical' has the weight ' six': write" in sidekiq(":queues: ['critical, six']\n")
    assert "'critical' has the weight 0: write" in sidekiq(":queues: ['critical,0']\n")


def test_entries_that_are_no_queues(sidekiq):
    assert sidekiq(":queues: [[critical, 6, 7]]\n") == (
        "sidekiq.yml: ('critical', 6, 7) is not a queue: write a name, or a name and its weight."
    )
    assert sidekiq(":queues: [5]\n") == (
        "sidekiq.yml: 5 names no queue: write a text such as 'mailers'."
    )
    assert sidekiq(":queues: ['', default]\n") == (
        "sidekiq.yml: '' names no queue: write a text such as 'mailers'."
    )
    assert sidekiq(":queues: [[]]\n") == (
        "sidekiq.yml: [] is not a queue: write a name, or a name and its weight."
    )
    assert sidekiq(":queues: critical\n") == (
        "sidekiq.yml: queues is 'critical': write a list, as in `- [critical, 2]` and `- default`."
    )


def test_a_queue_is_named_once(sidekiq):
    assert sidekiq(":queues: [critical, default, critical]\n") == (
        "sidekiq.yml: 'critical' is there twice: name it once, with a weight if it is to be taken from more often."
    )


def test_sidekiq_knows_no_wildcards(sidekiq):
    assert sidekiq(":queues: ['mail*']\n") == (
        "sidekiq.yml: 'mail*' has a *, which is not a wildcard to Sidekiq: name the queues."
    )
    assert sidekiq(":queues: [['mail*', 2]]\n") == (
        "sidekiq.yml: 'mail*' stands for several queues and cannot have a weight: name them."
    )


def test_capsules_are_refused(sidekiq):
    assert sidekiq(":queues: [default]\n:capsules: {single: {queues: [single]}}\n") == (
        "sidekiq.yml has capsules: each of them takes jobs beside the others, in an order of its own, which no "
        "test can tell. Write down the order that is meant, as in Queues(['critical', 'default'])."
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (":concurrency: 0", "concurrency is 0: write an int of at least 1."),
        (":concurrency: ten", "concurrency is 'ten': write an int of at least 1."),
        (":max_retries: -1", "max_retries is -1: write an int of at least 0."),
        (":dead_max_jobs: 1.5", "dead_max_jobs is 1.5: write an int of at least 1."),
        (":dead_timeout_in_seconds: 0", "dead_timeout is 0: write an int of at least 1."),
    ],
)
def test_numbers_that_cannot_be_meant(sidekiq, line, problem):
    assert sidekiq(f":queues: [default]\n{line}\n") == f"sidekiq.yml: {problem}"


# Solid Queue's

SOLID = """\
default: &default
  dispatchers:
    - polling_interval: 1
      batch_size: 500
  workers:
    - queues: [real_time, "mail*"]
      threads: 3
      processes: 2
      polling_interval: 0.1
production:
  <<: *default
development:
  workers:
    - threads: 5
"""


def test_the_file_of_solid_queue(write):
    queues = load_queues(write("queue.yml", SOLID), environment="production")

    assert queues.names == ("real_time", "mail*")
    assert queues.strict
    assert queues.concurrency == 6
    assert (queues.max_retries, queues.attempts) == (None, None)
    assert queues.left_out == ("dispatchers", "polling_interval")
    assert repr(queues) == "<Queues real_time before mail*>"


def test_a_worker_of_solid_queue_serves_all_queues_by_three_threads(write):
    path = write("queue.yml", SOLID)
    without_environments = load_queues(write("other.yml", "workers:\n  - processes: 1\n"))

    assert load_queues(path, environment="development").names == ("*",)
    assert load_queues(path, environment="development").concurrency == 5
    assert (without_environments.names, without_environments.concurrency) == (("*",), 3)


def test_several_workers_have_no_one_order(solid_queue):
    text = "workers:\n  - queues: real_time\n  - queues: background\n"

    assert solid_queue(text) == (
        "queue.yml has 2 workers, each of which takes jobs beside the others in an order of its own, so it does "
        "not say which job comes next. Write down the order that is meant, as in Queues(['critical', 'default'])."
    )
    assert solid_queue("workers: []\n").startswith("queue.yml has no workers, so it does not say")


def test_files_of_solid_queue_that_cannot_be_meant(solid_queue):
    assert solid_queue(SOLID) == (
        "queue.yml has values for environments of their own: name one of default, production, development, as in "
        "environment='default'."
    )
    assert solid_queue(SOLID, environment="test") == (
        "queue.yml has no environment 'test': there are default, production, development."
    )
    assert solid_queue("workers: [{queues: a}]\n", environment="test") == (
        "queue.yml has no environment 'test': it has none, so leave environment= out."
    )
    assert solid_queue("workers:\n  - queue: a\n") == (
        "queue.yml: a worker has the key 'queue', which means nothing: did you mean 'queues'? There are queues, "
        "threads, processes, polling_interval."
    )
    assert solid_queue("workers: [{queues: a}]\ndispatcher: []\n") == (
        "queue.yml has a key 'dispatcher', which means nothing to Solid Queue: did you mean 'dispatchers'? There "
        "are workers, dispatchers, schedulers."
    )
    assert solid_queue("workers:\n  queues: a\n") == (
        "queue.yml: workers is {'queues': 'a'}: write a list of workers, as in `- queues: [critical, default]`."
    )
    assert solid_queue("workers: [{threads: many}]\n") == (
        "queue.yml: threads is 'many': write an int of at least 1."
    )
    assert solid_queue("test:\nproduction:\n  workers: []\n", environment="test") == (
        "queue.yml: test holds None: write `workers:` with a list below it."
    )
    assert solid_queue("workers: [{queues: 'a, b'}]\n") == (
        "queue.yml: queues has 'a, b', which Solid Queue takes for one name: write a list, as in [a, b]."
    )


# Files of both kinds


def test_a_file_that_cannot_be_read(tmp_path, sidekiq):
    assert refused(tmp_path / "none.yml") == (
        f"{tmp_path / 'none.yml'} cannot be read: [Errno 2] No such file or directory: "
        f"'{tmp_path / 'none.yml'}'."
    )
    assert sidekiq(":queues: [\n").startswith("sidekiq.yml is not a YAML: ")
    assert sidekiq("- critical\n") == (
        "sidekiq.yml holds ['critical']: write what workers serve, such as `:queues:` with a list below it."
    )
    assert sidekiq("").startswith("sidekiq.yml holds None: write what workers serve")
    assert sidekiq(":concurrency: <%= ENV['THREADS'] %>\n") == (
        "sidekiq.yml has ERB in it (<% ... %>), which is Ruby and is not evaluated: write the values out."
    )


def test_a_key_that_is_there_twice(sidekiq):
    assert sidekiq(":queues: [a]\n:queues: [b]\n") == (
        "sidekiq.yml has the key ':queues' twice, in lines 1 and 2: rename one, since only the last would count."
    )
    assert sidekiq(":queues: [a]\nqueues: [b]\n") == (
        "sidekiq.yml has both 'queues' and ':queues', which mean the same: keep one."
    )


def test_without_pyyaml_it_says_what_to_install(sidekiq, monkeypatch):
    monkeypatch.delitem(sys.modules, "yaml", raising=False)
    import_ = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "yaml":
            raise ImportError(name)
        return import_(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    assert sidekiq(SEED) == (
        'sidekiq.yml is YAML, which PyYAML reads: pip install "pytest-jobs[recurring]".'
    )


# Written in Python


def test_queues_in_python():
    assert Queues(["critical", "low"]).strict
    assert Queues({"critical": 2, "low": 1}).weights == {"critical": 2, "low": 1}
    assert Queues([("critical", 2), "low"]).weights == {"critical": 2, "low": 1}


@pytest.mark.parametrize(
    ("queues", "problem"),
    [
        ([], "there are no queues, so workers would serve none: name one."),
        (
            "critical",
            (
                "'critical' is not a list of queues: write ['critical', 'default'], or weights as in "
                "{'critical': 3, 'default': 1}."
            ),
        ),
        (["ma*l"], "'ma*l' has a * in its midst: it stands at the end, as in 'mail*'."),
        (
            ["critical", "*"],
            (
                "'*' beside others takes from all queues by priority alone, as Solid Queue does, so that the "
                "others would mean nothing: write '*' alone, or leave it out."
            ),
        ),
    ],
)
def test_queues_in_python_that_cannot_be_meant(queues, problem):
    with pytest.raises(QueuesError) as caught:
        Queues(queues)

    assert str(caught.value) == f"the queues: {problem}"


def test_a_seed_is_an_int():
    with pytest.raises(QueuesError) as caught:
        Queues(["low"], seed="7")

    assert str(caught.value) == "the queues: seed='7' is not a seed: write an int."
