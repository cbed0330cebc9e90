"""Jobs that use MongoDB, tested with mongomock."""

from types import SimpleNamespace

import pytest

pytest.importorskip("mongomock")

import mongomock

from pytest_jobs import check_idempotent, fake
from pytest_jobs.errors import DivergedState, DuplicateEffect, ExplorationError, NotIdempotent

app = SimpleNamespace(db=None, gateway=None)


class Gateway:
    def charge(self, number, key=None):
        pass


def shop():
    app.db = mongomock.MongoClient().shop
    app.db.payments.insert_one({"number": 1, "status": "open", "balance": 0})
    with fake(app, "gateway", Gateway(), key="key") as gateway:
        yield lambda: {"payments": list(app.db.payments.find()), "charges": gateway.calls}


def check(job, **options):
    return check_idempotent(job, args=(1,), world=shop, **options)


def charge_then_mark(number):
    payment = app.db.payments.find_one({"number": number})
    if payment["status"] == "open":
        app.gateway.charge(number)
        app.db.payments.update_one({"_id": payment["_id"]}, {"$set": {"status": "paid"}})


def charge_by_key(number):
    payment = app.db.payments.find_one({"number": number})
    if payment["status"] == "open":
        app.gateway.charge(number, key=number)
        app.db.payments.update_one({"_id": payment["_id"]}, {"$set": {"status": "paid"}})


def read_then_write(number):
    payment = next(app.db.payments.find({"number": number}))
    if payment["status"] == "open":
        app.db.payments.update_one(
            {"number": number}, {"$set": {"balance": payment["balance"] + 100}}
        )
        app.db.payments.update_one({"number": number}, {"$set": {"status": "paid"}})


def take_in_one_step(number):
    app.db.payments.find_one_and_update(
        {"number": number, "status": "open"}, {"$set": {"status": "paid"}, "$inc": {"balance": 100}}
    )


def note_in_another_collection(number):
    app.db.audit.insert_one({"payment": number})


def note_once(number):
    app.db.audit.update_one({"_id": number}, {"$setOnInsert": {"seen": True}}, upsert=True)


def total_by_a_pipeline(number):
    app.db.payments.aggregate([{"$match": {"number": number}}, {"$out": "totals"}])
    take_in_one_step(number)


def work_in_a_scratch_collection(number):
    app.db.scratch.insert_one({"payment": number})
    take_in_one_step(number)
    app.db.scratch.drop()


def test_a_charge_before_the_mark_is_doubled_by_a_crash():
    with pytest.raises(DuplicateEffect, match=r"DUPLICATE gateway\.charge .*\[crash"):
        check(charge_then_mark)


@pytest.mark.parametrize("job", [charge_by_key, take_in_one_step, note_once])
def test_a_safe_job_is_safe_in_every_history(job):
    assert check(job).histories > 5


def test_a_read_and_a_write_are_torn_by_a_crash_and_by_an_overlap():
    with pytest.raises(DivergedState, match=r"DIVERGED payments") as found:
        check(read_then_write)

    assert "mongo: payments.update_one(" in str(found.value)


def test_a_collection_that_the_world_does_not_show_is_compared():
    with pytest.raises(NotIdempotent, match=r"collection audit \(not shown\)"):
        check(note_in_another_collection)


def test_a_pipeline_writes_into_the_collection_that_it_names():
    with pytest.raises(NotIdempotent, match=r"collection totals \(not shown\)"):
        check(total_by_a_pipeline, histories=["twice"])


def test_a_collection_that_the_job_drops_again_is_not_compared():
    check(work_in_a_scratch_collection, histories=["twice", "crash"])


def test_a_database_that_no_world_makes_anew_is_an_error():
    audit = mongomock.MongoClient()["audit"]

    def note_outside(number):
        take_in_one_step(number)
        audit.entries.insert_one({"payment": number})

    with pytest.raises(ExplorationError) as refused:
        check(note_outside)

    assert str(refused.value).startswith(
        "The job writes to collection entries of audit (entries.insert_one({'payment': 1})), which the world "
        "neither makes nor binds"
    )
    assert "mongomock.MongoClient().shop`, what is in it at first" in str(refused.value)
    assert audit.entries.count_documents({}) == 0


def test_nothing_is_left_patched():
    before = mongomock.collection.Collection.insert_one, mongomock.ObjectId.__init__
    check(note_once, histories=["twice"])

    assert (mongomock.collection.Collection.insert_one, mongomock.ObjectId.__init__) == before
