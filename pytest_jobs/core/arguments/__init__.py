"""The arguments of a job: plain values that become JSON text, and come back as what they were.

`encoding` writes and reads them: read `encode` and `decode` first. `records` names records of the
application by class and id, finds them again in a delivery, and commits or rolls back what a job did to
them (`UnitOfWork`).

`enqueueing` encodes with it, `execution` decodes; current attributes and the keys of locks are written by the
same rules. Assertions use it to compare records with references.
"""
