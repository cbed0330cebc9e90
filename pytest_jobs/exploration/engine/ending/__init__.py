"""How a delivery ends that was killed, given up or interrupted: it ends what it began, and leaves nothing.

- `leaving`: where such a delivery may be left without skipping an `__exit__` or a `finally`;
- `signs`: whether a thread still shows signs of life, and where it stands;
- `process_state`: what it has left in its whole process, beside what the room `memory` puts back, and the modules
  that it was the first to import;
- `patchers`: `unittest.mock.patch` in jobs;
- `log`: what it has logged;
- `baton`: the threads of one delivery, which go on one at a time and end together.

The files of the engine, which lie above this room, use it.
"""
