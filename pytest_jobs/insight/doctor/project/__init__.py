"""What the doctor finds in the files of a project.

- `facts`: what a fact is, and everything that is found about one project.
- `reading`: all files in one pass: dependencies, source, commands of workers. Read this first.
- `code`: the syntax tree of one file: what declares and enqueues jobs, brokers, transactions, tenants, tests.

Used by the doctor.
"""
