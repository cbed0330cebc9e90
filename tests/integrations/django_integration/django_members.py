"""Models that are records by themselves, with the twins of their methods."""

from __future__ import annotations

from uuid import uuid4

from django.db import models
from django_project import configure

from pytest_jobs import later

configure()


class OfAnyName(models.Manager):
    def get_queryset(self):
        return super().get_queryset().exclude(name="hidden")


class Member(models.Model):
    name = models.CharField(max_length=20, default="Ann")

    objects = OfAnyName()

    class Meta:
        app_label = "members"

    def rename(self, name: str) -> None:
        self.name = name
        self.save()

    rename_later = later(rename)

    async def arename(self, name: str) -> None:
        self.name = name
        await self.asave()

    arename_later = later(arename)


class Guest(Member):
    class Meta:
        app_label = "members"


class Ticket(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid4)

    class Meta:
        app_label = "members"


class Badge(models.Model):
    # Before Django 5.2 a key has one field.
    if hasattr(models, "CompositePrimaryKey"):
        pk = models.CompositePrimaryKey("member_id", "number")
    member_id = models.IntegerField()
    number = models.IntegerField()

    class Meta:
        app_label = "members"


MODELS = (Member, Guest, Ticket, Badge)


class Delivery(models.Model):
    url = models.CharField(max_length=20)

    class Meta:
        app_label = "deliveries"

    def deliver(self) -> None: ...

    deliver_later = later(deliver, queue="webhooks", enqueue_after_commit=True)


class Urgent(Delivery):
    class Meta:
        app_label = "deliveries"
