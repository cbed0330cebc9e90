"""What jobs do by HTTP, one file a library.

Read `exchange` first: the effect of a request, and what came of it. Each source calls it around the one method
of its library through which all requests go. `request` is the request itself, decoded, and the answer of a fake.

- `http_client`: http.client of the standard library, and so urllib.request.
- `urllib3`, `requests`, `httpx`, `aiohttp`: the libraries of these names.

Some of them send by another one: requests by urllib3, urllib3 by http.client. The outermost request is the effect.
`fake_http`, in `worlds/http`, tells the exchange whether the request took effect.
"""
