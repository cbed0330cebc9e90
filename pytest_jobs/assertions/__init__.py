"""The assertions, for every test runner: `asserts` has the functions and the classes of the fixtures.

Reading order, for a call that passes:

- `asserts`: one class for each assertion about one job; `several`: chains, batches, and everything in order;
- `question`: the keywords of a call, their types, and how they are checked; `criteria`: one class for each kind;
- `search`: where to look (`Subject`), what matches (`Search`), and waiting for jobs that other threads enqueue.

For a call that fails: `failure` (what was found, the likely slip), `parents` (which pending job may enqueue it)
and `messages` (what to do, layout, what is left out). `remaining` finds jobs that a test left alone, and
those that the report of a failed test ends with. `unittest_case` has the assertions for `unittest.TestCase`, and
`case_settings` what configures it. `options` is the table of all options, those of the plugin included.

The fixtures of the plugin, `JobsTestCase` and the conformance suite use them; nothing below this room does.
"""
