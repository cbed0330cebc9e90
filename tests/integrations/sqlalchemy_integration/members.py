"""Models that are records by themselves, with the twins of their methods."""

from __future__ import annotations

from uuid import UUID, uuid4

from sessions import Base
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, registry, relationship

from pytest_jobs import later


class Member(Base):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="Ann")
    kind: Mapped[str] = mapped_column(default="member")
    badges: Mapped[list[Badge]] = relationship()

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "member"}  # noqa: RUF012

    def rename(self, name: str) -> None:
        self.name = name
        if name == "refused":
            raise ValueError("no such name")

    rename_later = later(rename)

    async def arename(self, name: str) -> None:
        self.rename(name)

    arename_later = later(arename)


class Guest(Member):
    __mapper_args__ = {"polymorphic_identity": "guest"}  # noqa: RUF012


class Badge(Base):
    __tablename__ = "badges"

    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)


class Ticket(Base):
    __tablename__ = "tickets"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)


class Seat:
    """A class that is mapped from outside."""


registry(metadata=Base.metadata).map_imperatively(Seat, Ticket.__table__)
