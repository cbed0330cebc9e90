"""Comparing the states of two histories, although their clocks and their random ids differ.

Read in this order:

- `chance`: random bytes that can be recognised later, also as a part of a longer text;
- `times`: when the deliveries of a history began, and times as distances from there;
- `volatile`: one text or number without what is random in it, and with its times as distances;
- `fields`: what an object of a class, or of a library, has to be compared;
- `renaming`: a whole state, by its structure;
- `differences`: two states, name by name.

`engine/delivering.py` observes each history by a `Renaming`; `histories` compares the results.
"""
