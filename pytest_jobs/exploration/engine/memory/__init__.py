"""The memory of each process of a search: one walk over what a project keeps, and one part that puts it back.

- `places`: where something is kept, and the walk that finds all places below some modules;
- `locks`: the locks that a delivery holds;
- `processes`: what is remembered when, and what is put back when;
- `shared`: whether objects have changed that two processes share all the same.
"""
