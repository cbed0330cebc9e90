"""Other plugins, and how strictly pytest is run, change nothing in what a check finds; and coverage sees more."""

import re
import sys

import pytest

SHOP = """
gateway = None


def pay(number):
    if number in gateway.charged():
        gateway.mark(number)
        return
    gateway.charge(number)
    gateway.mark(number)


def pay_by_key(number):
    gateway.charge(number, key=number)
    gateway.mark(number)
"""
TEST = """
import shop
from pytest_jobs import check_idempotent, fake


class Gateway:
    def __init__(self):
        self.numbers, self.marked = [], set()

    def charge(self, number, key=None):
        self.numbers.append(number)

    def charged(self):
        return self.numbers

    def mark(self, number):
        self.marked.add(number)


def world():
    reads = {"charged", "mark"}
    with fake(shop, "gateway", made := Gateway(), key="key", reads=reads) as gateway:
        yield lambda: {"charges": gateway.calls, "marked": sorted(made.marked)}


def test_safe():
    check_idempotent(shop.pay_by_key, args=(1,), world=world, histories=["crash"])


def test_unsafe():
    check_idempotent(shop.pay, args=(1,), world=world, histories=["overlap"])


def test_recovery():
    check_idempotent(shop.pay, args=(1,), world=world, histories=["crash"])
"""
pytestmark = pytest.mark.slow
NEWER = pytest.mark.skipif(sys.version_info < (3, 12), reason="coverage has no sysmon core here")


@pytest.fixture
def run(pytester, monkeypatch):
    """Return a function that runs the checks in a process of their own."""
    pytester.makepyfile(shop=SHOP, test_it=TEST)
    monkeypatch.delenv("COVERAGE_CORE", raising=False)
    monkeypatch.delenv("COV_CORE_SOURCE", raising=False)
    return lambda *options: pytester.runpytest_subprocess("-vv", *options)


def reported(result):
    """Return what a check says of the job that is not safe."""
    return re.findall(r"^E  .*", result.stdout.str(), re.MULTILINE)


def test_a_check_finds_the_same(run):
    for plugin in ("pytest_cov", "pytest_randomly", "pytest_timeout", "xdist"):
        pytest.importorskip(plugin)
    plain = run("-p", "no:randomly")
    plain.assert_outcomes(passed=2, failed=1)
    assert any("DUPLICATE gateway.charge" in line for line in reported(plain))

    alone = run("-p", "randomly", "--timeout=3600", "--timeout-method=signal", "-W", "error")
    workers = run("-n", "2", "--timeout=3600", "--timeout-method=thread", "--cov=shop")

    for result in (alone, workers):
        result.assert_outcomes(passed=2, failed=1)
        assert reported(result) == reported(plain)


@pytest.mark.parametrize("core", ["ctrace", pytest.param("sysmon", marks=NEWER)])
def test_a_branch_that_only_a_second_delivery_takes_is_covered(run, monkeypatch, core):
    pytest.importorskip("pytest_cov")
    monkeypatch.setenv("COVERAGE_CORE", core)

    result = run(
        "--cov=shop", "--cov-branch", "--cov-report=term-missing", "-k", "recovery or test_safe"
    )

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["shop.py *100%*"])
