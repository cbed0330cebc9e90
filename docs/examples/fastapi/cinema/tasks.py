"""What is done once a request has been answered."""

from __future__ import annotations

import sqlite3

from .database import connected
from .outside import outside


def mail_ticket(booking: int) -> None:
    """Mail a ticket, once."""
    with connected() as database:
        row = database.execute("select email, mailed from bookings where id = ?", (booking,))
        email, mailed = row.fetchone()
        if not mailed:
            outside.mails.send(email, f"Your ticket is {booking}.", key=f"ticket-{booking}")
            database.execute("update bookings set mailed = 1 where id = ?", (booking,))


def pay_back(booking: int) -> None:
    """Mail that a seat is paid back, once: a bug, since a mail that is lost after the mark is never sent."""
    with connected() as database:
        marked = database.execute(
            "update bookings set paid_back = 1 where id = ? and not paid_back returning email",
            (booking,),
        )
        rows = marked.fetchall()
    for (email,) in rows:
        outside.mails.send(email, f"You get your money for {booking}.", key=f"back-{booking}")


def count_visitor(booking: int) -> None:
    """Count whoever has booked."""
    with connected() as database:
        database.execute("insert or ignore into visitors values (?)", (booking,))


async def tell_box_office(text: str) -> None:
    """Show a line on the screen of the box office."""
    await outside.screen.show(text)


def remind(database: sqlite3.Connection, booking: int) -> None:
    """Mail a reminder, with the session of the request: a bug, since it is closed by then."""
    row = database.execute("select email from bookings where id = ?", (booking,))
    (email,) = row.fetchone()
    outside.mails.send(email, f"See you tomorrow, {booking}.", key=f"reminder-{booking}")
