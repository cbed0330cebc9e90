"""What applications pass in arguments that are JSON, some of which PostgreSQL refuses."""

VALUES = {
    "text": "order 7",
    "NUL": "a\x00b",
    "NUL in a key": {"\x00": 1},
    "a backslash": "\\u0000",
    "a backslash before NUL": "\\\x00",
    "NaN": float("nan"),
    "Infinity": [float("inf")],
    "minus Infinity": -float("inf"),
    "text of NaN": "NaN",
    "a pair": "\U0001f600",
    "half of a pair": "\ud83d",
    "the other half": "\ude00!",
    "halves in a wrong order": "\ude00\ud83d",
    "half of a pair in a key": {"a\ud83d": 1},
    "keys": {"to": 1, "b": 2, "a": {"zz": 3, "y": 4}, "é": 5, "B": 6, "copy": 7},
    "numbers": [0, -0.0, 1.5, 100.0, 1e16, 1.5e300, 1e-7, 10**30, -2.5e20, 0.1],
    "empty": [{}, [], "", None, True],
}
