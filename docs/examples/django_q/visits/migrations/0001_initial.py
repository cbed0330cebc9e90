# ruff: noqa: RUF012 - as Django writes it
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Visit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("patient", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                ("reminded", models.BooleanField(default=False)),
                ("paid", models.BooleanField(default=False)),
            ],
        ),
    ]
