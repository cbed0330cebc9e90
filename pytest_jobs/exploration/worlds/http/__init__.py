"""`fake_http`, which answers the HTTP requests of all libraries instead of the servers.

Read in this order:

- `fake_http`: routes, keys that the fake remembers, and what a test reads of it.
- `libraries`: the places in http.client, urllib3, httpcore and aiohttp where the network begins, and what stands
  there: a socket, a transport, and the bytes of requests and answers.

Requests and answers are those of `effects/http/request`. Whether a request took effect goes to
`effects/http/exchange`.
"""
