from __future__ import annotations

from django.db import models


class Visit(models.Model):
    patient = models.CharField(max_length=200)
    at = models.DateTimeField()
    reminded = models.BooleanField(default=False)
    paid = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"{self.patient} at {self.at:%d %B %H:%M}"
