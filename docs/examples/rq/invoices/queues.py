"""The connection and the queues."""

from redis import Redis
from rq import Queue

redis = Redis(host="redis.example.org", port=6379)

mail = Queue("mail", connection=redis)
money = Queue("money", connection=redis)
