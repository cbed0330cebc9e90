"""The search of `check_handoff`: a call that hands work off, and that nobody repeats.

It is the search of `histories` with another kind of history: one call, and what follows it.

- `terms`: the options of such a check: what finds lost work, and when. Read it first.
- `history`: one world with the call and what follows, and the clean ends with which others are compared;
- `explorer`: the histories that are tried, how each is carried out, and its verdict;
- `handoff_report`: what its reader sees of one that fails.

`handoff_check` uses it.
"""
