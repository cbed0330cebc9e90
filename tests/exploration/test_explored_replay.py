"""A token carries out one history again, or is refused where the code has it no more."""

from contextlib import contextmanager
from importlib.util import find_spec
from unittest import mock
from urllib.request import urlopen

import gallery_jobs
import pytest
from gallery import cancel, shop
from hypothesis import strategies as st

from pytest_jobs import check_idempotent, fake_http
from pytest_jobs.errors import DuplicateEffect, ExplorationError, LostEffect, NotIdempotent
from pytest_jobs.exploration.histories.plans import Plan
from pytest_jobs.exploration.histories.replay import token_of
from pytest_jobs.exploration.report.audience import Audience, audience


@pytest.fixture
def replaying():
    """Return a function that has a token replayed for the rest of the test."""
    tokens = []

    def replaying(token=None):
        replays = () if token is None else (token,)
        tokens.append(audience.set(Audience(replays=replays)))
        return audience.get()

    yield replaying
    for token in reversed(tokens):
        audience.reset(token)


def token_printed(job, **options):
    with pytest.raises(NotIdempotent) as found:
        check(job, **options)
    return str(found.value.report.token)


def check(job, args=(1,), **options):
    return check_idempotent(job, args=args, world=shop, **options)


def test_only_that_history_is_carried_out(replaying):
    audience_then = replaying("crash:pay:pay:58469389:1")

    with pytest.raises(DuplicateEffect) as found:
        check(gallery_jobs.pay)

    assert found.value.report.exploration.histories == 1
    assert audience_then.notes == []


def test_the_points_of_a_replay_are_not_looked_at(replaying):
    worlds, looks = [], []

    def world():
        worlds.append(1)
        with contextmanager(shop)() as snapshot:
            yield lambda: looks.append(1) or snapshot()

    replaying("crash:pay:pay:58469389:1")
    with pytest.raises(DuplicateEffect):
        check_idempotent(gallery_jobs.pay, args=(1,), world=world)

    # When it begins and when it ends.
    assert len(looks) <= 2 * len(worlds)


def test_a_job_that_was_mended_passes_and_says_so(replaying):
    def pay(number, key=None):
        gallery_jobs.gateway.charge(number, 100, key=key)

    replaying()
    token = token_printed(pay)
    reader = replaying(token)

    explored = check(pay, args=(1, "key"))

    assert explored.histories == 1
    assert [note.replay for note in reader.notes] == ["passes"]
    assert str(explored).endswith("pay: the replayed history passes now.")


def test_a_point_that_a_clean_run_does_not_come_to_is_refused(replaying):
    replaying("crash:pay:pay:00000000:1")

    with pytest.raises(ExplorationError, match="names a point in pay that a clean run"):
        check(gallery_jobs.pay)


def test_a_point_that_comes_less_often_is_refused(replaying):
    replaying("crash:pay:pay:58469389:2")

    with pytest.raises(ExplorationError, match="Run the test without --jobs-replay"):
        check(gallery_jobs.pay)


def test_a_history_for_which_nothing_is_left_to_try_is_refused_with_the_reason(replaying):
    replaying("abandoned:pay:pay:3e52363e:1")

    with pytest.raises(ExplorationError) as refused:
        check(gallery_jobs.pay)

    assert str(refused.value) == (
        "--jobs-replay=abandoned:pay:pay:3e52363e:1 names a history for which there is nothing to try any more: "
        "the library delivers a job again whose worker was killed. Run the test without --jobs-replay."
    )


def test_another_job_that_is_not_there_any_more_is_refused(replaying):
    replaying()
    token = token_printed(gallery_jobs.overwrite, histories=["out_of_order"], others=[cancel])
    replaying(token)

    with pytest.raises(ExplorationError, match="needs the same others="):
        check(gallery_jobs.overwrite)


def test_a_check_of_another_job_is_left_alone(replaying):
    reader = replaying("twice:charge")

    explored = check(gallery_jobs.pay)

    assert explored.histories == 0
    assert [note.replay for note in reader.notes] == ["other"]
    assert "not explored, since --jobs-replay is for another check" in str(explored)


def test_arguments_that_were_drawn_are_in_the_token(replaying):
    def charge(number, fast):
        gallery_jobs.gateway.charge(number, 100, key=None if fast and number > 1 else number)

    drawn = {"number": st.integers(0, 5), "fast": st.booleans()}
    replaying()
    token = token_printed(charge, args=(), kwargs=drawn)
    replaying(token)

    with pytest.raises(DuplicateEffect) as found:
        check(charge, args=(), kwargs=drawn)

    assert found.value.report.exploration.kwargs == {"number": 2, "fast": True}
    assert found.value.report.exploration.histories == 1
    with pytest.raises(ExplorationError, match="holds the arguments"):
        check(charge, args=(), kwargs={"number": st.just(1)})
    assert check(charge, args=(), kwargs={"number": 2, "fast": True}).histories == 0


class Colour:
    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"Colour({self.name!r})"


def paint(colour):
    gallery_jobs.gateway.mail(colour.name)


COLOURS = st.sampled_from([Colour("red"), Colour("blue")])


def test_arguments_that_no_token_can_hold_are_drawn_until_they_come_again(replaying):
    replaying()
    token = token_printed(paint, args=(COLOURS,))
    replaying(token)

    with pytest.raises(DuplicateEffect) as found:
        check(paint, args=(COLOURS,))

    assert ":drawn=" in token
    assert found.value.report.exploration.args[0].name == "red"


def test_arguments_that_do_not_come_again_are_no_pass(replaying):
    replaying()
    token = token_printed(paint, args=(COLOURS,))
    replaying(token)

    with pytest.raises(ExplorationError, match="were not drawn again, so nothing was replayed"):
        check(paint, args=(st.just(Colour("green")),))


def test_a_token_survives_lines_above_and_in_between(replaying, tmp_path):
    begin = "import gallery_jobs as g\n\n\n"
    end = (
        "def pay(number):\n    if number in g.gateway.charged():\n        return\n"
        "    g.gateway.charge(number, 100)\n"
    )
    replaying()

    tokens = []
    for name, source in (
        ("one.py", begin + end),
        ("two.py", f"{begin}\n# More.\n{end}".replace("return\n", "return\n\n    # More.\n")),
        ("three.py", begin + end.replace("number, 100", "number, 200")),
    ):
        path = tmp_path / name
        path.write_text(source, "utf-8")
        tokens.append(token_printed(defined(path), histories=["overlap"]))

    assert tokens[0] == tokens[1]
    assert tokens[0] != tokens[2]


def defined(path):
    names = {}
    exec(compile(path.read_text("utf-8"), path, "exec"), names)
    return names["pay"]


def test_arguments_that_were_cut_off_are_refused(replaying):
    replaying("twice:charge:args=W1tdLHsib")

    with pytest.raises(ExplorationError, match="copy the whole replay line"):
        check(gallery_jobs.charge, args=(st.just(1),))


def test_two_interruptions_are_replayed(replaying):
    replaying()
    token = token_printed(gallery_jobs.give_up_the_third_time, histories=["crash"], depth=2)
    replaying(token)

    with pytest.raises(LostEffect) as found:
        check(gallery_jobs.give_up_the_third_time)

    assert ":then:" in token
    assert [run.stopped_at is not None for run in found.value.report.failure.runs] == [
        True,
        True,
        False,
    ]


def names(job, value):
    """Return the names that tokens give to all points of a clean run."""
    with pytest.raises(NotIdempotent) as found:
        check(job, args=(value,), histories=["twice"])
    points = found.value.report.exploration.points
    return [token_of(Plan("crash", point=point), job.__name__).plan for point in points]


def store(value):
    gallery_jobs.connect().execute(
        f"insert into payments values (9, '{value}')"
    ).connection.commit()


def send(value):
    gallery_jobs.gateway.mail(value), gallery_jobs.gateway.mail(f"{value}!")


def write(value):
    for name in (value, f"{value}!"):
        with (gallery_jobs.folder / f"{name}.txt").open("a") as file:
            file.write(value)


def enqueue(value):
    gallery_jobs.send_receipt.perform_later(value)


def send_to_all(value):
    sent = [gallery_jobs.gateway.mail(f"{value}{n}") for n in [*gallery_jobs.gateway.charged(), 1]]
    all(gallery_jobs.gateway.mail(f"{value}{n}") is None for n in sent)


def request(value):
    with fake_http({"*": 204}):
        urlopen(f"https://{value}.example.com/orders/{value}", value.encode()).close()


def cache(value):
    from fakeredis import FakeRedis

    client = FakeRedis()
    client.set(f"order:{value}", value)
    client.incr(f"views:{value}"), client.incr(f"views:{value}!")


def let_a_mock_do_it(value):
    with mock.patch.object(gallery_jobs, "gateway") as gateway:
        for each in (value, f"{value}!"):
            gateway.charge(each)


NEEDS_REDIS = pytest.mark.skipif(find_spec("fakeredis") is None, reason="needs fakeredis")


@pytest.mark.parametrize(
    "job",
    [
        *(store, send, write, enqueue, send_to_all, request, let_a_mock_do_it),
        pytest.param(cache, marks=NEEDS_REDIS),
    ],
)
def test_a_token_has_no_data_of_the_test_and_names_one_point(job):
    one = names(job, "order7")

    assert one == names(job, "d41d8cd9")
    assert len(set(one)) == len(one)
