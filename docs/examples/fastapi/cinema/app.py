"""The endpoints."""

from __future__ import annotations

import sqlite3
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask

from . import tasks
from .database import session

app = FastAPI()

#: It is closed when the endpoint has returned, so that no request keeps a connection while its tasks run.
Session = Annotated[sqlite3.Connection, Depends(session, scope="function")]


def noticed(show: str, later: BackgroundTasks) -> None:
    """Tell the box office of each request for a show."""
    later.add_task(tasks.tell_box_office, f"somebody asks for {show}")


@app.post("/shows/{show}/bookings", dependencies=[Depends(noticed)])
def book(show: str, email: str, database: Session, later: BackgroundTasks) -> dict[str, int]:
    """Book a seat."""
    if "@" not in email:
        raise HTTPException(422, "that is no address")
    booking = database.execute("insert into bookings (email) values (?)", (email,)).lastrowid or 0
    later.add_task(tasks.mail_ticket, booking)
    later.add_task(tasks.count_visitor, booking)
    return {"booking": booking}


@app.delete("/bookings/{booking}")
def give_back(booking: int, later: BackgroundTasks) -> None:
    """Give a seat back."""
    later.add_task(tasks.pay_back, booking)


@app.post("/bookings/{booking}/reminder")
def remind(booking: int, database: Session, later: BackgroundTasks) -> None:
    """Mail a reminder."""
    later.add_task(tasks.remind, database, booking)


@app.delete("/shows/{show}")
async def cancel(show: str) -> JSONResponse:
    """Cancel a show."""
    told = BackgroundTask(tasks.tell_box_office, text=f"{show} is cancelled")
    return JSONResponse({"cancelled": show}, background=told)
