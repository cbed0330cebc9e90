"""What the command line, the ini file, the markers and the test cases say.

Each option is one entry of the table in `assertions/options`.

- `declared` declares them to pytest, with the marker;
- `misspelt`: names that look like ours and are not, which stop the run with the nearest name;
- `options` reads them into `Settings`: once for the session, and for each test with its markers and with what a
  class says that derives from `JobsTestCase`.

Everything else in the plugin asks `session_options` or `item_options`.

PYTEST_DONT_REWRITE
"""
