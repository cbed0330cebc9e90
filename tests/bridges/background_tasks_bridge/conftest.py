"""Applications of Starlette and FastAPI, answered in the process of the test."""

import pytest

pytest.importorskip("fastapi")


@pytest.fixture(params=["requests", "httpx"])
def get(request):
    """Return what sends a request to an application: a client of tests, or httpx on an event loop."""
    return by_test_client if request.param == "requests" else by_httpx


def by_test_client(app, path="/"):
    from starlette.testclient import TestClient

    return TestClient(app).get(path).status_code


def by_httpx(app, path="/"):
    import asyncio

    import httpx

    async def send():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return (await client.get(path)).status_code

    return asyncio.run(send())
