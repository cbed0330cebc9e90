"""What the reader of a test sees of an exploration that has ended.

- `report`: the report on a job that is not safe, with the state and the effects that differ;
- `difference`: its part with what is other than after one clean run;
- `story`: its part with each delivery beside its source lines;
- `hints`: its guess at what may help;
- `mapped`: what happens at each line of the job, for the page of a session;
- `explored`: what a check that passed has explored, and what it left out;
- `audience`: the running test, and the notes for the summary of the session.

`check` uses it. The plugin sets the audience, and prints the notes.

PYTEST_DONT_REWRITE
"""
