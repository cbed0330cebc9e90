from django.core import mail
from django.core.cache import cache
from django.test import TestCase, TransactionTestCase

from pytest_jobs import current_jobs
from shop import tasks
from shop.models import Customer, Entry, Order, Payment, Tag


def perform(task, *args):
    task.delay(*args)
    current_jobs().drain()


class Rows:
    def setUp(self):
        self.ann = Customer.objects.create(name="Ann")
        self.order = Order.objects.create(customer=self.ann)

    def points(self):
        self.ann.refresh_from_db()
        return self.ann.points

    def status(self):
        self.order.refresh_from_db()
        return self.order.status


class SafePay(Rows, TestCase):
    def test_it(self):
        perform(tasks.pay, self.order.pk)
        assert self.status() == "paid"


class SafePayWithARow(Rows, TestCase):
    def test_it(self):
        perform(tasks.pay_with_a_row, self.order.pk)
        assert Payment.objects.count() == 1


class SafePayUnderALock(Rows, TestCase):
    def test_it(self):
        perform(tasks.pay_under_a_lock, self.order.pk)
        assert (self.status(), self.points()) == ("paid", 10)


class SafePayWithoutSavepoints(Rows, TestCase):
    def test_it(self):
        perform(tasks.pay_without_savepoints, self.order.pk)
        assert (self.status(), Entry.objects.count()) == ("paid", 1)


class SafePayOfClassData(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(customer=Customer.objects.create(name="Bob"))

    def test_it(self):
        perform(tasks.pay_with_a_row, self.order.pk)
        self.order.refresh_from_db()
        assert self.order.status == "paid"

    def test_it_again(self):
        perform(tasks.pay_without_savepoints, self.order.pk)
        assert Entry.objects.count() == 1


class SafeDelete(Rows, TestCase):
    def test_it(self):
        Entry.objects.create(order=self.order, text="a")
        Payment.objects.create(order=self.order)
        perform(tasks.delete_customer, self.ann.pk)
        assert (Order.objects.count(), Entry.objects.count()) == (0, 0)


class SafeTag(Rows, TestCase):
    def test_it(self):
        perform(tasks.tag, self.order.pk, "a", "b")
        assert Tag.objects.filter(orders=self.order).count() == 2


class SafeCloseAll(Rows, TestCase):
    def test_it(self):
        Order.objects.create(customer=self.ann)
        perform(tasks.close_all)
        assert Order.objects.filter(status="closed").count() == 2


class SafeRemember(Rows, TestCase):
    def test_it(self):
        perform(tasks.remember, self.order.pk)
        assert cache.get(f"order-{self.order.pk}") == 10


class SafePayThenTell(Rows, TestCase):
    def test_it(self):
        tasks.pay_then_tell.delay(self.order.pk)
        current_jobs().drain()
        assert self.status() == "paid"


class SafeInTransactions(Rows, TransactionTestCase):
    def test_it(self):
        perform(tasks.pay_under_a_lock, self.order.pk)
        assert (self.status(), self.points()) == ("paid", 10)


class SafeDeleteInTransactions(Rows, TransactionTestCase):
    def test_it(self):
        Entry.objects.create(order=self.order, text="a")
        perform(tasks.delete_customer, self.ann.pk)
        assert Order.objects.count() == 0


class SafeWithoutJobs(Rows, TestCase):
    def test_it(self):
        assert self.status() == "open"


class UnsafeReward(Rows, TestCase):
    def test_it(self):
        perform(tasks.reward, self.ann.pk)
        assert self.points() == 10


class UnsafeNote(Rows, TestCase):
    def test_it(self):
        perform(tasks.note, self.order.pk)
        assert Entry.objects.count() == 1


class CrashesRewardThenMark(Rows, TestCase):
    def test_it(self):
        perform(tasks.reward_then_mark, self.order.pk)
        assert self.points() == 10


class CrashesMarkThenReward(Rows, TestCase):
    def test_it(self):
        perform(tasks.mark_then_reward, self.order.pk)
        assert self.points() == 10


class CrashesWriteThenMark(Rows, TestCase):
    def test_it(self):
        perform(tasks.write_then_mark, self.order.pk)
        assert len(mail.outbox) == 1


class CrashesRewardThenMarkInTransactions(Rows, TransactionTestCase):
    def test_it(self):
        perform(tasks.reward_then_mark, self.order.pk)
        assert self.points() == 10


class CrashesMarkThenRewardOfClassData(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.ann = Customer.objects.create(name="Ann")
        cls.order = Order.objects.create(customer=cls.ann)

    def test_it(self):
        perform(tasks.mark_then_reward, self.order.pk)
        self.ann.refresh_from_db()
        assert self.ann.points == 10
