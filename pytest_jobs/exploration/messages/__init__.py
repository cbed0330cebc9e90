"""What a job sends, decoded, and without what differs each time that the same thing is sent.

- `http`: `HttpRequest`, and `HttpResponse` for what a fake answers. Both are public.
- `mail`: `Mail`, which is public as well.

They know nothing of explorations. The effect sources make acts of them (`effects/http`, `effects/mail`), and the
fakes record and answer them (`worlds/http`, `worlds/mail`).
"""
