"""What jobs do by HTTP, one file a library.

Read `exchange` first: the act of a request, and what came of it. `request` is the request itself, decoded, and the
answer of a fake; both are public. Each source calls it around the one method
of its library through which all requests go:

- `http_client`: http.client of the standard library, and so urllib.request.
- `urllib3`, `requests`, `httpx`, `aiohttp`: the libraries of these names.

Some of them send by another one: requests by urllib3, urllib3 by http.client. The outermost request is the act.
`fake_http`, in `worlds/http`, tells the exchange whether the request took effect.
"""
