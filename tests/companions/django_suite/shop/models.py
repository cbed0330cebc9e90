from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=20)
    points = models.IntegerField(default=0)


class Order(models.Model):
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    status = models.CharField(max_length=9, default="open")
    total = models.IntegerField(default=10)


class Payment(models.Model):
    order = models.OneToOneField(Order, on_delete=models.CASCADE)


class Entry(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
    text = models.CharField(max_length=20)


class Tag(models.Model):
    name = models.CharField(max_length=20, unique=True)
    orders = models.ManyToManyField(Order)
