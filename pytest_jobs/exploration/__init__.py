"""Idempotency by search: one job, delivered in every bad way that a broker and its workers know.

From the ground up; no room imports one that stands below it in this list:

- `engine`: watched deliveries, which every kind of search makes;
- `stores`, `effects`, `worlds`: places whose content is compared, what jobs do by each library, and what a check
  builds afresh;
- `histories`, then `report`: the search of `check_idempotent`, and what it says when it has ended;
- `check`: `check_idempotent` itself.

Begin with `check`, follow it into `histories/explorer` and `histories/plan_runner`, and from there
into `engine/delivering` and `engine/watching`.

PYTEST_DONT_REWRITE
"""
