"""`--jobs-crash`: killing a delivery in a test that goes on afterwards.

- `crash`: makes the deliveries of a test, notes their points and kills one of them at a point. It takes back what
  that one put in force in the process, releases its locks, and rolls back what it did not commit;
- `worth`: which points of a test are tried first.

Here the world is that of the test, so a killed delivery is unwound in it with its effects refused.
`plugin/adversary/crash.py` uses it, on Python 3.12 and newer.
"""
