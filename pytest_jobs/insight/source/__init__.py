"""The source of a project, read as text and as syntax trees. Nothing of it is imported or run.

- `tree`: the files of a folder, within bounds: size, depth, number, and no link that leads out.
- `module`: one file as a syntax tree, and where each of its names comes from.
- `jobs`: the jobs that a module declares, in the way of each job library.
- `enqueues`: the calls that enqueue a job.
- `project`: all modules together, in which names are looked up. Read this first.

Used by the lint and by the doctor.
"""
