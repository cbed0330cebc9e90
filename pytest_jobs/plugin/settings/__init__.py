"""What the command line, the ini file, the markers and the test cases say.

- `options` declares the flags and the ini options, and reads them into `JobOptions`: once for the session, and for
  each test with its markers and with what a class says that derives from `JobsTestCase`.

Everything else in the plugin asks `session_options` or `item_options`. A new option is declared, read and checked
in `options`; what it does lies in the module that it concerns.
"""
