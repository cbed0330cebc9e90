"""What the shop sells: products are imported in batches, and suppliers are asked for their stock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from pytest_jobs import Job

from . import db, jobs, web


@dataclass(frozen=True)
class Import:
    id: int
    status: str

    BATCH_SIZE: ClassVar = 10

    @classmethod
    def create(cls, skus: Iterable[str]) -> Import:
        with db.unit_of_work() as connection:
            import_id = connection.execute("INSERT INTO imports DEFAULT VALUES").lastrowid
            connection.executemany(
                "INSERT INTO import_lines VALUES (?, ?)", [(import_id, sku) for sku in skus]
            )
        return cls.find(import_id or 0)

    @classmethod
    def find(cls, id: int) -> Import:
        return cls(**db.row("SELECT * FROM imports WHERE id = ?", id))

    def run_later(self) -> Job:
        return jobs.ImportProducts.perform_later(self.id)

    def take_batch(self, offset: int) -> int | None:
        """Import some lines; return where the next batch begins, None when there is none."""
        lines = db.rows(
            "SELECT sku FROM import_lines WHERE import_id = ? ORDER BY rowid LIMIT ? OFFSET ?",
            self.id,
            self.BATCH_SIZE,
            offset,
        )
        is_last = len(lines) < self.BATCH_SIZE
        with db.unit_of_work() as connection:
            connection.executemany("INSERT OR IGNORE INTO products VALUES (:sku)", lines)
            if is_last:
                connection.execute("UPDATE imports SET status = 'done' WHERE id = ?", (self.id,))
        return None if is_last else offset + self.BATCH_SIZE


def set_stock(sku: str, pieces: int) -> None:
    """Note how many pieces of a product there are."""
    db.change("INSERT OR REPLACE INTO stock VALUES (?, ?)", sku, pieces)


async def stock_of_suppliers(sku: str) -> int:
    """Ask all suppliers at once."""
    answers = await asyncio.gather(*(web.client.ask(name, sku) for name in web.client.suppliers))
    return sum(answers)
