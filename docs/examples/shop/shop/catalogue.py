"""What the shop sells: products are imported, shipments booked, and suppliers asked for their stock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pytest_jobs import Batch, Job, slices

from . import db, jobs, web


@dataclass(frozen=True)
class Import:
    id: int
    status: str

    BATCH_SIZE: ClassVar = 10

    @classmethod
    def create(cls, skus: Iterable[str]) -> Import:
        with db.unit_of_work():
            import_id = db.insert("INSERT INTO imports DEFAULT VALUES")
            for sku in skus:
                db.insert("INSERT INTO import_lines VALUES (?, ?)", import_id, sku)
        return cls.find(import_id)

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
        with db.unit_of_work():
            for line in lines:
                db.insert("INSERT OR IGNORE INTO products VALUES (?)", line["sku"])
            if is_last:
                db.change("UPDATE imports SET status = 'done' WHERE id = ?", self.id)
        return None if is_last else offset + self.BATCH_SIZE


@dataclass(frozen=True)
class Shipment:
    """Goods that came in: their pieces are added to the stock, those of each line once."""

    id: int
    status: str

    SLICE_SIZE: ClassVar = 100

    @classmethod
    def unload(cls, pieces: Mapping[str, int]) -> Shipment:
        """Note what came in. It is booked when all of that is committed."""
        with db.unit_of_work():
            shipment = cls.find(db.insert("INSERT INTO shipments DEFAULT VALUES"))
            for sku, count in pieces.items():
                db.insert(
                    "INSERT INTO shipment_lines (shipment_id, sku, pieces) VALUES (?, ?, ?)",
                    shipment.id,
                    sku,
                    count,
                )
            jobs.BookShipment.perform_later(shipment.id)
        return shipment

    @classmethod
    def find(cls, id: int) -> Shipment:
        return cls(**db.row("SELECT * FROM shipments WHERE id = ?", id))

    @property
    def line_ids(self) -> list[int]:
        found = db.rows("SELECT id FROM shipment_lines WHERE shipment_id = ? ORDER BY id", self.id)
        return [line["id"] for line in found]

    def book_later(self) -> None:
        """Have the lines booked side by side, and the shipment closed when all of them are.

        The batch has a name, so it is the same when the job that begins it is delivered twice.
        """
        batch = Batch(f"shipment-{self.id}", on_success=jobs.CloseShipment.new(self.id))
        batch.enqueue(jobs.BookLines.new(ids) for ids in slices(self.line_ids, self.SLICE_SIZE))

    def close(self) -> None:
        db.change("UPDATE shipments SET status = 'booked' WHERE id = ?", self.id)


def book_lines(line_ids: Sequence[int]) -> None:
    """Add lines to the stock: look, add and mark under one lock, or two workers could both add."""
    with db.lock():
        for line_id in line_ids:
            line = db.row("SELECT * FROM shipment_lines WHERE id = ?", line_id)
            if not line["booked"]:
                add_to_stock(line["sku"], line["pieces"])
                db.change("UPDATE shipment_lines SET booked = 1 WHERE id = ?", line_id)


def add_to_stock(sku: str, pieces: int) -> None:
    """Note that there are more pieces of a product."""
    db.change(
        "INSERT INTO stock VALUES (?, ?) ON CONFLICT DO UPDATE SET pieces = pieces + excluded.pieces",
        sku,
        pieces,
    )


def set_stock(sku: str, pieces: int) -> None:
    """Note how many pieces of a product there are."""
    db.change("INSERT OR REPLACE INTO stock VALUES (?, ?)", sku, pieces)


async def stock_of_suppliers(sku: str) -> int:
    """Ask all suppliers at once."""
    answers = await asyncio.gather(*(web.client.ask(name, sku) for name in web.client.suppliers))
    return sum(answers)
