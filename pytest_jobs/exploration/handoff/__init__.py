"""The search of `check_handoff`: a call that hands work off, and that nobody repeats.

It is the search of `histories` with another kind of history: one call, and what follows it.

- `history`: the options of such a check; one world with the call and what follows; and the clean ends with which
  others are compared. Read it first.
- `explorer`: the histories that are tried, how each is carried out, and its verdict;
- `handoff_report`: what its reader sees of one that fails.

`handoff_check` uses it.
"""
