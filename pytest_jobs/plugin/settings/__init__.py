"""What the command line, the ini file, the markers and the test cases say.

- `declared`: the flags, the ini options and the marker, each with its sentence of help;
- `misspelt`: names that look like ours and are not, which stop the run with the nearest name;
- `options` reads what is declared into `JobOptions`: once for the session, and for each test with its markers and
  with what a class says that derives from `JobsTestCase`.

Everything else in the plugin asks `session_options` or `item_options`. A new option is declared in `declared`,
read and checked in `options`; what it does lies in the module that it concerns.

PYTEST_DONT_REWRITE
"""
