"""The stores that a history touches: databases, servers and files, and what they have when it ends.

- `store`: what a store is.
- `account`: what the deliveries of a history wrote and what its snapshot read, and the comparison of the rest.
- `sqlite`: the tables of sqlite databases; `new_keys`: the keys that these give to rows; `files`: files.
- `open_files`, `open_connections`: files and connections of sqlite that were open before.

Effect sources report to the account by `accounts.current`. The stores of other libraries stand beside the
sources of these libraries in `effects`. `histories/history` opens an account for each history.
"""
