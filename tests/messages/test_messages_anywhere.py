"""A message is the same however Python and pytest run, but for what the reader asked for or cannot be shown."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from message_gallery import situations

HERE = Path(__file__).parent
SITUATIONS = situations()
#: Left out where Python itself takes the words: without docstrings an error has no text of its own.
ASSERTIONS = [name for name, one in SITUATIONS.items() if one.asserts]
SCRIPT = f"""
import json, sys
sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]
import message_gallery as gallery
found = gallery.situations()
print(json.dumps({{name: found[name].message() for name in json.loads(sys.argv[1])}}))
"""
MANY = """
    from shop import Pay

    def test_it(jobs, assert_not_enqueued):
        for payment_id in range(19):
            Pay.perform_later(payment_id)
        assert_not_enqueued(Pay)
"""
ACCENTS = """
    from shop import send_receipt

    def test_it(jobs, assert_not_enqueued):
        send_receipt.perform_later("Z\u00fcrich")
        assert_not_enqueued(send_receipt)
"""
LEFT = """
    from shop import send_receipt

    def test_it(jobs):
        for order_id in range(40):
            send_receipt.perform_later(order_id)
"""
SHOP = """
from pytest_jobs import Job, job

class Pay(Job):
    def perform(self, payment_id):
        pass

@job
def send_receipt(order_id):
    pass
"""


@pytest.fixture(scope="module")
def said():
    """Return each message as it is in this process."""
    return {name: SITUATIONS[name].message() for name in ASSERTIONS}


@pytest.fixture
def run(pytester, monkeypatch):
    """Return a function that runs a test, in a process of its own where the stream is another."""
    monkeypatch.setenv("PY_COLORS", "0")
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(shop=SHOP)

    def run(test, *arguments, apart=False):
        pytester.makepyfile(test_it=test)
        pytest_run = pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess
        result = pytest_run(*arguments)
        result.assert_outcomes(failed=1)
        return result.stdout

    return run


# Without docstrings Python is without assertions too.
@pytest.mark.parametrize("flags", [["-OO"], ["-X", "dev"]], ids=" ".join)
def test_python_makes_no_difference(flags, said):
    result = subprocess.run(
        [sys.executable, *flags, "-c", SCRIPT, json.dumps(ASSERTIONS)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(result.stdout) == said


@pytest.mark.wide
@pytest.mark.parametrize("mode", ["plain", "rewrite"])
def test_nor_does_the_rewriting_of_assertions(pytester, mode, said):
    pytester.makepyfile(
        test_it=f"""
        import json, sys
        from pathlib import Path
        sys.path[:0] = [{str(HERE)!r}, {str(HERE.parent)!r}]

        def test_it():
            import message_gallery as gallery
            found = gallery.situations()
            said = {{name: found[name].message() for name in {ASSERTIONS!r}}}
            Path("said.json").write_text(json.dumps(said))
        """
    )

    pytester.runpytest_subprocess(f"--assert={mode}").assert_outcomes(passed=1)

    assert json.loads((pytester.path / "said.json").read_text()) == said


def test_a_long_list_is_cut(run):
    run(MANY).fnmatch_lines(
        [
            "E         #4 Pay(4) queue='default'",
            "E         ... and 14 more",
            "E       ",
            "E       Next: keep the code from doing it, *",
            "E       Shortened: -v shows everything.",
            "E       See: python -m pytest_jobs explain it-should-not-be-there",
        ],
        consecutive=True,
    )


def test_a_verbose_run_shows_all_of_it(run):
    printed = run(MANY, "-v")

    printed.fnmatch_lines(["E         #18 Pay(18) queue='default'"])
    printed.no_fnmatch_line("*Shortened:*")


def test_so_it_is_with_jobs_that_were_left_alone(run):
    run(LEFT, "--jobs-strict").fnmatch_lines(["... and 23 more", "", "Next: *", "Shortened: *"])
    run(LEFT, "--jobs-strict", "-v").fnmatch_lines(["39  send_receipt  39 *", "", "Next: *"])


@pytest.mark.slow
def test_a_worker_of_xdist_shows_all_of_it_too(run):
    pytest.importorskip("xdist")

    run(MANY, "-n", "1", "-v").fnmatch_lines(["E         #18 Pay(18) queue='default'"])


@pytest.mark.wide
def test_accents_are_escaped_where_there_is_only_ascii(run, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")

    run(ACCENTS, apart=True).fnmatch_lines(
        [r"E         #0 send_receipt('Z\xfcrich') queue='default'"]
    )


@pytest.mark.wide
def test_they_are_shown_where_they_can_be(run, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")

    run(ACCENTS, apart=True).fnmatch_lines(
        ["E         #0 send_receipt('Z\u00fcrich') queue='default'"]
    )


def test_there_are_colours_on_a_terminal_only(run):
    assert "\x1b[" not in str(run(MANY, "--color=no"))
    assert "\x1b[31m  ... and 14 more\x1b[0m" in str(run(MANY, "--color=yes"))
