"""What stands in for a service, or around it, in a test: its calls are effects.

- `call_kinds`: what a call counts as, by what the test says and by its name: the one table for every double.
- `clients`: what is a client of a service, with methods that reach it, and what is data.
- `arguments`: the arguments of a call, as a text and as a value that can be compared.
- `operators`: operators and assignments as effects.
- `memory`: what a double keeps: what a call has changed, what the job has changed itself, and what is pending.
- `judgement`: whether a call was an effect, by what it has changed: the one judgement of every double.
- `receiver`: what the application finds in the place of a client, however deep it lies; which calls are effects,
  and what is remembered of them.
- `wrapping`: `wrap`, for services that work in a test. `fake` in `worlds/fakes` puts something in their place.

Read `judgement` and `receiver` first.
"""
