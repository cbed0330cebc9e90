"""In whatever order jobs are made, performed, redelivered and waited for, the ledger says what a list would."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pytest_jobs import Job, open_jobs, retry_on

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = 1_000_000_000
RETRY_WAIT = 3


class Lists:
    """The ledger in the simplest words: each pending job is a row, and the next one is searched in all rows."""

    def __init__(self):
        self.now = 0
        self.rows = 0
        #: By sequence: priority, when it is due, its number, and whether it fails.
        self.pending = {}
        #: When each row was due: a message that is delivered again is the same message.
        self.dues = []
        self.first = []
        self.delivered = []

    def add(self, priority, due, number, fails, first=True):
        self.pending[self.rows] = (priority or 0, due, number, fails)
        self.dues.append(due)
        self.first += [self.rows] * first
        self.rows += 1

    def due(self):
        return [each for each, row in self.pending.items() if row[1] <= self.now]

    def perform(self, sequence):
        priority, _, number, fails = self.pending.pop(sequence)
        self.delivered.append(sequence)
        if fails:
            self.add(priority, self.now + RETRY_WAIT, number, fails=False, first=False)

    def perform_due(self):
        while due := self.due():
            self.perform(min(due, key=lambda each: (*self.pending[each][:2], each)))

    def run_until(self, end):
        self.perform_due()
        while coming := [row[1] for row in self.pending.values() if row[1] <= end]:
            self.now = max(self.now, min(coming))
            self.perform_due()
        self.now = end


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        failing = set()

        @retry_on(ValueError, wait=RETRY_WAIT, attempts=5)
        class Note(Job):
            def perform(self, number, fails):
                if fails and number not in failing:
                    failing.add(number)
                    raise ValueError(number)

        self.job, self.failing, self.lists = Note, failing, Lists()
        self.jobs = open_jobs()
        self.jobs.open()
        self.jobs.clock.move_to(NOON)

    def teardown(self):
        self.jobs.close()

    @rule(
        priority=st.none() | st.integers(-1, 1),
        wait=st.none() | st.integers(0, 5),
        fails=st.booleans(),
    )
    def enqueue(self, priority, wait, fails):
        number = self.lists.rows
        self.job.set(priority=priority, wait=wait).perform_later(number, fails)
        self.lists.add(priority, self.lists.now + (wait or 0), number, fails)

    @precondition(lambda self: self.lists.pending)
    @rule(data=st.data())
    def perform_one(self, data):
        sequence = data.draw(st.sampled_from(sorted(self.lists.pending)))
        self.jobs.perform(self.jobs.harness.ledger.records[sequence])
        self.lists.perform(sequence)

    @precondition(lambda self: self.lists.delivered)
    @rule(data=st.data())
    def redeliver(self, data):
        sequence = data.draw(st.sampled_from(self.lists.delivered))
        record = self.jobs.harness.ledger.records[sequence]
        self.jobs.redeliver(record)
        self.lists.add(record.priority, self.lists.dues[sequence], None, fails=False, first=False)

    @rule()
    def perform_due(self):
        self.jobs.perform_due()
        self.lists.perform_due()

    @rule(seconds=st.integers(0, 4))
    def advance(self, seconds):
        self.jobs.clock.advance(seconds)
        self.lists.now += seconds

    @rule(seconds=st.integers(0, 4))
    def run_for(self, seconds):
        self.jobs.run_for(seconds)
        self.lists.run_until(self.lists.now + seconds)

    @rule()
    def drain(self):
        self.jobs.drain()
        while self.lists.pending:
            last = max(row[1] for row in self.lists.pending.values())
            self.lists.run_until(max(last, self.lists.now))

    @invariant()
    def ledger_and_lists_agree(self):
        jobs, lists = self.jobs, self.lists

        assert jobs.clock.now() == NOON + timedelta(seconds=lists.now)
        assert {record.sequence for record in jobs.pending} == lists.pending.keys()
        assert [record.sequence for record in jobs.enqueued] == lists.first
        assert [each.record.sequence for each in jobs.deliveries] == lists.delivered
        assert {record.sequence for record in jobs.scheduled} == lists.pending.keys() - {
            *lists.due()
        }
        assert len(jobs.performed) + len(jobs.retried) == len(jobs.deliveries)
        assert [record.sequence for record in jobs.harness.ledger.records] == [*range(lists.rows)]


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=30, stateful_step_count=25, derandomize=True, database=None
)
