"""What a machine prints when it fails is a script that fails in the same way."""

import importlib.util
import re
import textwrap

import pytest

MACHINE = """
    from hypothesis import Phase, settings
    from hypothesis.stateful import initialize, invariant, rule

    import {module}
    from pytest_jobs import JobMachine, fake


    class Gateway:
        def __init__(self):
            self.charged = []

        def charge(self, number):
            self.charged.append(number)


    class Shop(JobMachine):
        jobs = {{{job}: {{"number": 7}}}}

        def world():
            with fake({module}, "gateway", Gateway()) as gateway:
                yield lambda: [call[1] for call in gateway.calls]

        @initialize()
        def open_the_shop(self):
            self.open = True

        @rule()
        def look_around(self):
            assert self.open

        @invariant()
        def nobody_is_charged_twice(self):
            assert len(self.state) < 2, f"{{len(self.state)}} charges"
"""
SEARCH = """
    SETTINGS = settings(phases={phases}, derandomize=True, database=None, deadline=None)
    TestShop = Shop.TestCase
    TestShop.settings = settings(SETTINGS, max_examples=500, stateful_step_count=10)
"""


def pasted(pytester, module, job, run=None, phases="[Phase.generate, Phase.shrink]"):
    """Search, and run the script that is printed."""
    # A script that fails keeps its engine open until the next check of its process.
    run = run or pytester.runpytest
    machine = textwrap.dedent(MACHINE.format(module=module, job=job))
    pytester.makepyfile(machine=machine)
    pytester.makepyfile(
        test_search=f"from machine import *\n{textwrap.dedent(SEARCH.format(phases=phases))}"
    )
    found = run("test_search.py", "--tb=short")
    found.assert_outcomes(failed=1)
    script = re.findall(r"^E +(state[ .].*)$", found.stdout.str(), re.MULTILINE)
    pytester.makepyfile(
        test_script="from machine import Shop\n\n\ndef test_script():\n"
        + textwrap.indent("\n".join(script), "    ")
    )
    return script, run("test_script.py", "--tb=short")


@pytest.mark.wide
def test_of_a_function(pytester):
    pytester.makepyfile(shop="gateway = None\n\n\ndef pay(number):\n    gateway.charge(number)\n")

    script, again = pasted(pytester, "shop", "shop.pay")

    assert script[0] == "state = Shop()"
    assert "state.enqueue('pay', number=7)" in script
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["E   AssertionError: 2 charges*"])


@pytest.mark.slow
def test_of_an_overlap(pytester):
    pytester.makepyfile(
        shop="""
        gateway = None


        def pay(number):
            if number not in gateway.charged:
                gateway.charge(number)
        """
    )

    # To shrink what an overlap does takes half a minute.
    script, again = pasted(pytester, "shop", "shop.pay", phases="[Phase.generate]")

    assert any(line.startswith("state.overlap('pay#1', at=") for line in script)
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["E   AssertionError: 2 charges*"])


def test_of_a_crash(pytester):
    pytester.makepyfile(
        shop="""
        gateway = None


        def pay(number):
            amount = price_of(number)
            gateway.charge(amount)


        def price_of(number):
            return 100 * number
        """
    )
    pytester.makepyfile(
        test_script="""
        import shop
        from pytest_jobs import JobMachine, fake


        class Gateway:
            def charge(self, number):
                pass


        class Shop(JobMachine):
            jobs = {shop.pay: {"number": 7}}

            def world():
                with fake(shop, "gateway", Gateway()) as gateway:
                    yield lambda: gateway.calls

            def settled(self):
                assert len(self.state) == 1, f"{len(self.state)} charges"


        def test_script():
            state = Shop()
            state.enqueue('pay', number=7)
            state.crash('pay#1', at='after gateway: charge(700) in pay')
            state.teardown()


        def test_block():
            with Shop() as state:
                state.enqueue('pay', number=7)
                state.crash('pay#1', at='return 100 * number in price_of')
        """
    )

    result = pytester.runpytest("--tb=short")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["E   AssertionError: 2 charges*"])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("celery") is None, reason="Celery is not installed")
def test_of_a_task_of_a_bridged_library(pytester):
    pytester.makepyfile(
        shop="""
        from celery import Celery

        gateway = None
        app = Celery("shop", broker="memory://", backend="cache+memory://")
        app.conf.task_acks_late = True


        @app.task
        def pay(number):
            gateway.charge(number)
        """
    )
    pytester.makeini("[pytest]\njobs_apps = celery:shop:app\njobs_mode = record\n")

    # Celery and its bridge would be imported twice in this process.
    script, again = pasted(pytester, "shop", "shop.pay", run=pytester.runpytest_subprocess)

    assert "state.enqueue('pay', number=7)" in script
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["E   AssertionError: 2 charges*"])


ENDED = """
    import asyncio
    import time

    import pytest
    from pytest_jobs import JobMachine

    real = time.sleep
    done = []


    def pay(number):
        done.append(number)


    class Shop(JobMachine):
        jobs = {pay: {"number": 7}}

        def world():
            done.clear()
            yield lambda: done

        def settled(self):
            assert len(done) == 1, f"{len(done)} charges"


    @pytest.fixture
    def shop():
        state = Shop()
        yield state
        state.teardown()


    def is_real():
        return time.sleep is real
"""


def test_that_fails_is_ended_with_its_test(pytester):
    pytester.makepyfile(
        textwrap.dedent(ENDED)
        + textwrap.dedent(
            """
            def test_a_script_that_fails():
                state = Shop()
                assert not is_real()
                assert state.state == ["paid"]


            def test_after_it():
                assert is_real()


            def test_a_script_that_fails_in_another_context():
                async def script():
                    Shop().perform("pay#1")

                asyncio.run(script())


            def test_after_that():
                assert is_real()


            def test_a_script_of_a_fixture(shop):
                shop.enqueue("pay", number=7)
                assert not is_real()


            @pytest.fixture
            def broken():
                Shop().perform("pay#1")


            def test_a_script_that_fails_in_a_fixture(broken):
                pass


            def test_after_fixtures():
                assert is_real()
            """
        )
    )

    result = pytester.runpytest("--tb=short")

    result.assert_outcomes(passed=4, failed=2, errors=1)
    result.stdout.fnmatch_lines(["E  *assert [[][]] == [[]'paid'[]]*"])
