"""SQLAlchemy, for jobs that depend on its sessions and models.

- `commits`: the sessions whose transactions are open, for jobs of the core that are enqueued after the commit;
- `sessions`: models as arguments of jobs, found in a session that lives as long as the delivery.

`core/foundation/libraries.py` loads each by name once the application has imported SQLAlchemy; nothing else
imports them.
"""
