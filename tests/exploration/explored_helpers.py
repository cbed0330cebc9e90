"""Helpers of a project, which fakes and worlds of its tests use too."""

from __future__ import annotations


def kept(log, item):
    item = (item,)
    log.extend(item)


def looked_up(log):
    count = len(log)
    return count > 0
