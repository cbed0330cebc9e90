"""The source of a project, read as text and as syntax trees, and what running libraries know of its jobs.

- `tree`: the files of a folder, within bounds: size, depth, number, and no link that leads out.
- `module`: one file as a syntax tree, and where each of its names comes from.
- `jobs`: a job in the text, and what the arguments of calls say.
- `enqueues`: the calls that enqueue a job.
- `dependencies`: the job libraries that dependency files name.
- `running`: what the registries of the process say of jobs, and `receivers`: what its namespaces say of each call.
- `handoffs`: what the text shows beside the jobs that were found: nothing unseen is called good.
- `workers`: queues and recurring tasks, as files say.
- `project`: all modules together, in which names are looked up. Read this first.

Used by the lint, by `reached`, by the audit, and by the doctor, which has no running libraries.
"""
