"""What the doctor finds in the files of a project.

- `facts`: what a fact is, and everything that is found about one project.
- `reading`: reads dependency files, settings, source and the configuration of workers.
- `code`: what the syntax trees say: brokers, transactions, tenants, tests.

Used by the doctor.
"""
