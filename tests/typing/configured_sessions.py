"""What makes the sessions of SQLAlchemy is passed to `configure` as it is."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import async_scoped_session, async_sessionmaker
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from pytest_jobs import configure

# Accepted

configure(adapter=None, session=sessionmaker())
configure(adapter=None, session=scoped_session(sessionmaker()))
configure(adapter=None, session=async_sessionmaker())
configure(adapter=None, session=async_scoped_session(async_sessionmaker(), asyncio.current_task))
configure(adapter=None, session=Session)
configure(adapter=None, session=None)

# Refused

configure(adapter=None, session="Session")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
