"""`--jobs-crash`: killing a delivery in a test that goes on afterwards.

- `crash`: makes the deliveries of a test, notes their points and kills one delivery at one of them;
- `worth`: which points of a test are tried first;
- `process`: takes back what a killed delivery put in force in the process, releases its locks, and rolls back what
  it did not commit, on the connections of the test.

Here the world is that of the test, so a killed delivery is unwound in it with its effects refused.
`plugin/adversary/crash.py` uses it, on Python 3.12 and newer.
"""
