"""Jobs that write files, and their safe twins."""

from __future__ import annotations

import corpus_shop as shop


def write_report_piece_by_piece(rows):
    report = shop.folder / "report.csv"
    if report.exists():
        return
    with report.open("w", encoding="utf-8") as file:
        for row in range(rows):
            file.write(f"{row}\n")


def write_report_and_rename(rows):
    part = shop.folder / "report.csv.part"
    part.write_text("".join(f"{row}\n" for row in range(rows)), "utf-8")
    part.replace(shop.folder / "report.csv")


def append_to_log(payment_id):
    with (shop.folder / "log").open("a", encoding="utf-8") as log:
        log.write(f"paid {payment_id}\n")


def write_by_a_new_temporary_file(payment_id):
    part = shop.folder / "export.part"
    with part.open("x", encoding="utf-8") as file:
        file.write(f"paid {payment_id}\n")
    part.replace(shop.folder / "export")


def write_by_the_temporary_file(payment_id):
    part = shop.folder / "export.part"
    part.write_text(f"paid {payment_id}\n", "utf-8")
    (shop.folder / "export").write_text(part.read_text("utf-8"), "utf-8")
    part.unlink(missing_ok=True)
