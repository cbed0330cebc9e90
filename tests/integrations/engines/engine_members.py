"""A model of SQLAlchemy for the workers of engines, whose database is where they run."""

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from pytest_jobs import later

DATABASE = "members.db"
Session = sessionmaker(create_engine(f"sqlite:///{DATABASE}"))


class Base(DeclarativeBase):
    pass


class Member(Base):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

    def rename(self, name):
        self.name = name

    rename_later = later(rename)
