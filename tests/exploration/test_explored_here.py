"""`check_idempotent` without a world, where no library has anything that could be copied."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from tempfile import NamedTemporaryFile
from textwrap import dedent
from zipfile import ZipFile

import pytest

from pytest_jobs import check_idempotent, here, job
from pytest_jobs.errors import DuplicateEffect, ExplorationError, NotIdempotent


@job
def receipt():
    """Be enqueued."""


def test_a_job_that_only_enqueues_is_explored_without_any_world():
    assert "Explored" in str(check_idempotent(receipt.perform_later))


def do_nothing():
    return 1


def test_nothing_to_copy_is_an_error_with_what_to_write():
    with pytest.raises(ExplorationError) as refused:
        check_idempotent(do_nothing)

    assert str(refused.value).startswith(
        "One clean run of the job changes nothing that the check compares. There is no world=, so the check "
        "compares copies of what the test has: here (nothing was copied). Let the test prepare what the job needs "
        "before the check, for example with the fixture `db` of pytest-django. What a job changes in memory"
    )


orders = {}


def test_the_world_that_the_error_shows_is_right():
    def pay(number):
        orders[number] = orders.get(number, 0) + 1

    with pytest.raises(ExplorationError) as refused:
        check_idempotent(pay, args=(7,))
    world = dedent(str(refused.value).partition("three lines:")[2].partition("check_idempotent")[0])
    exec(world, names := {"orders": orders})

    with pytest.raises(NotIdempotent, match="orders"):
        check_idempotent(pay, args=(7,), world=names["shop"])


def test_the_patterns_of_ignore_must_be_names():
    with pytest.raises(ExplorationError, match=r"ignore= names 7, which is not a name"):
        here(ignore=[7])


def append_line(path):
    with (path / "report.csv").open("a") as file:
        file.write("line\n")


def write_anew(path):
    (path / "new").mkdir(exist_ok=True)
    (path / "new" / "report.csv").write_text("line\n")
    (path / "old.csv").unlink(missing_ok=True)


@pytest.mark.parametrize("job", [append_line, write_anew])
def test_the_files_of_the_test_are_there_in_each_history_and_afterwards(tmp_path, job):
    (tmp_path / "report.csv").write_text("head\n")
    (tmp_path / "old.csv").write_bytes(b"\xff")
    (tmp_path / "empty").mkdir()

    if job is append_line:
        with pytest.raises(NotIdempotent, match="files"):
            check_idempotent(job, args=(tmp_path,))
    else:
        assert "here (tmp_path: 2 files" in str(check_idempotent(job, args=(tmp_path,)))

    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "old.csv", "report.csv"]
    assert (tmp_path / "report.csv").read_text() == "head\n"
    assert (tmp_path / "old.csv").read_bytes() == b"\xff"


def replace_whole(path):
    unfinished = path / f"report.{os.getpid()}.tmp"
    unfinished.write_text("line\n")
    unfinished.replace(path / "report.csv")


def replace_named_at_random(path):
    with NamedTemporaryFile("w", dir=path, delete=False) as file:
        file.write("line\n")
    Path(file.name).replace(path / "report.csv")


def pack(path):
    with ZipFile(path / "report.zip", "w") as packed:
        packed.writestr("report.csv", "line")


@pytest.mark.parametrize("job", [replace_whole, replace_named_at_random, pack])
def test_files_are_compared_like_those_that_no_world_shows(tmp_path, job):
    (tmp_path / "report.csv").write_text("head\n")

    check_idempotent(job, args=(tmp_path,), histories=["twice", "crash", "late"])


def test_a_file_that_nobody_changes_is_read_for_its_content_once(tmp_path, monkeypatch):
    pack(tmp_path)
    (tmp_path / "report.csv").write_text("head\n")
    unpacked = []
    real = ZipFile.infolist
    monkeypatch.setattr(ZipFile, "infolist", lambda own: unpacked.append(1) or real(own))

    check_idempotent(replace_whole, args=(tmp_path,))

    assert len(unpacked) == 1


@pytest.fixture
def assets():
    """A folder that the set-up of a project makes, as for the media of its tests."""
    folder = tempfile.mkdtemp(prefix="assets")
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("job", [append_line, replace_whole])
def test_so_are_those_in_a_folder_that_a_fixture_has_made(assets, job):
    (assets / "report.csv").write_text("head\n")

    if job is append_line:
        with pytest.raises(NotIdempotent, match="temporary files"):
            check_idempotent(job, args=(assets,))
    else:
        assert "here (made by tempfile: 1 file)" in str(check_idempotent(job, args=(assets,)))

    assert [path.name for path in assets.iterdir()] == ["report.csv"]
    assert (assets / "report.csv").read_text() == "head\n"


@pytest.mark.parametrize("is_repeatable", [False, True])
def test_so_is_a_file_that_the_test_has_made(is_repeatable):
    def take_up(path):
        if is_repeatable:
            # Beside it, by its name, which nobody else has.
            Path(f"{path}_done.csv").write_text("done")
            path.unlink(missing_ok=True)
        else:
            path.write_text(path.read_text() + "line\n")

    with tempfile.NamedTemporaryFile("w", suffix=".csv") as made:
        made.write("head\n")
        made.flush()
        if is_repeatable:
            assert "here (made by tempfile: 1 file)" in str(
                check_idempotent(take_up, args=(Path(made.name),))
            )
        else:
            with pytest.raises(NotIdempotent, match="DUPLICATE temporary files"):
                check_idempotent(take_up, args=(Path(made.name),))
        assert Path(made.name).read_text() == "head\n"
        assert not Path(f"{made.name}_done.csv").exists()


@pytest.mark.parametrize(
    ("made", "flags", "said"),
    [
        ("TemporaryDirectory", [], "*DUPLICATE temporary files*"),
        ("mkdtemp", [], "*which the world neither makes nor binds*"),
        ("mkdtemp", ["--jobs-audit"], "*DUPLICATE temporary files*"),
    ],
)
def test_a_folder_that_settings_have_made_is_known_if_they_keep_it_and_to_the_audit_anyway(
    pytester, made, flags, said
):
    pytester.makepyfile(
        settings=f"""
            import tempfile
            KEPT = tempfile.{made}()
            MEDIA = getattr(KEPT, "name", KEPT)
        """
    )
    pytester.makeconftest("import settings")
    pytester.makepyfile("""
        from pathlib import Path
        import settings
        from pytest_jobs import check_idempotent

        def append_line():
            with (Path(settings.MEDIA) / "log").open("a") as file:
                file.write("line\\n")

        def test_it():
            check_idempotent(append_line)
    """)

    result = pytester.runpytest_subprocess("-p", "no:randomly", *flags)

    result.stdout.fnmatch_lines([said])


def test_files_are_left_out_by_their_names(tmp_path):
    check_idempotent(append_and_touch, args=(tmp_path,), world=here(ignore="*.csv"))


def append_and_touch(path):
    append_line(path)
    (path / "done").write_text("done")


def test_the_names_of_the_check_leave_out_copies_too(tmp_path):
    check_idempotent(append_and_touch, args=(tmp_path,), ignore={"*.csv"})


def world_with_here():
    with here(ignore={"reprot.csv"}) as state:
        yield state


@pytest.mark.parametrize(
    "options",
    [
        {"ignore": {"reprot.csv"}},
        {"world": here(ignore={"reprot.csv"})},
        {"world": world_with_here},
    ],
)
def test_a_name_that_leaves_out_no_copy_is_an_error(tmp_path, options):
    with pytest.raises(ExplorationError) as refused:
        check_idempotent(write_anew, args=(tmp_path,), **options)

    assert str(refused.value) == (
        "ignore={'reprot.csv'} names nothing that the check compares. There is new/report.csv."
    )


def write_many(path):
    for number in range(30):
        (path / f"{number:02}").touch()


def test_an_error_names_some_of_many_copies(tmp_path):
    with pytest.raises(ExplorationError, match=r"There is 00, 01, .* 19 and 10 more\.$"):
        check_idempotent(write_many, args=(tmp_path,), ignore={"report"})


def test_a_binary_file_says_what_to_do_and_comes_behind_what_can_be_read(tmp_path):
    def add_to_both(name):
        for file in ("a.bin", name):
            with (tmp_path / file).open("ab") as opened:
                opened.write(b"\xff\x00" if file == "a.bin" else b"line")

    with pytest.raises(NotIdempotent) as first:
        check_idempotent(add_to_both, args=("b.txt",))
    with pytest.raises(NotIdempotent) as alone:
        check_idempotent(add_to_both, args=("a.bin",))

    assert "DIVERGED files [twice]" in str(first.value)
    assert "DIVERGED files (binary) [twice]" in str(alone.value)
    assert "('a.bin', 'a binary file, 4 bytes, sha256 " in str(alone.value)
    assert ": ignore= or a world')" in str(alone.value)


@pytest.mark.parametrize(
    ("names", "called"), [(("a",), "table lines"), (("a", "b"), "table lines of a")]
)
def test_a_database_of_the_test_is_named_without_its_folder(tmp_path, names, called):
    for name in names:
        with closing(sqlite3.connect(tmp_path / name)) as db, db:
            db.execute("create table lines (number)")

    def write():
        for name in names:
            with closing(sqlite3.connect(tmp_path / name)) as db, db:
                db.execute("insert into lines values (7)")

    with pytest.raises(DuplicateEffect) as failed:
        check_idempotent(write, histories=["twice"])

    report = str(failed.value)
    assert f"DUPLICATE {called} [twice" in report
    assert f"\n{called}\n  once:" in report
    # It is a copy of the test's: there is no world that could show it.
    assert "not shown" not in report
    assert "The world does not show" not in report
