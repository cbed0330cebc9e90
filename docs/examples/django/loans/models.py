from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils import timezone

LENT_FOR = timedelta(days=28)


class Book(models.Model):
    title = models.CharField(max_length=200)
    isbn = models.CharField(max_length=13, unique=True)
    cover = models.URLField(blank=True)

    def __str__(self) -> str:
        return self.title


class Loan(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    reader = models.EmailField()
    lent_at = models.DateTimeField(default=timezone.now)
    receipt_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.book} to {self.reader}"

    @property
    def due_at(self) -> timezone.datetime:
        return self.lent_at + LENT_FOR
