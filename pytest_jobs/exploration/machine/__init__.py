"""`JobMachine`: a Hypothesis state machine that searches for steps that break several jobs together.

Read in this order:

- `machine`: the class that users derive from, with the steps of a script and the rules that Hypothesis draws;
- `session`: what all examples of a search have in common, and one example: a world and the deliveries in it;
- `processes`: the processes of an example, each with a thread and a memory of its own.

It stands on `engine`. Nothing but the package itself imports it, since it imports Hypothesis.
"""
