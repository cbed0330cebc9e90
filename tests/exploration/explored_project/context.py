"""What the jobs of one process share."""

import threading

request = threading.local()
lock = threading.Lock()


def user():
    return request.user


def is_locked():
    return lock.locked()
