"""What the server tells of the requests that it has answered."""

import logging
import re

import pytest

pytestmark = pytest.mark.asyncio


async def test_metrics_and_telemetry_count_replies_by_endpoint_and_status(served):
    async with served() as s:
        name = "a'b c"
        await s.http.put(f"/collections/{name}", json={})
        points = {"points": [{"id": 1, "vector": {}}, {"id": 2, "vector": {}}]}
        await s.http.put(f"/collections/{name}/points", json=points)
        for _ in range(3):
            await s.http.post(f"/collections/{name}/points/count", json={})
        await s.http.post("/collections/none/points/count", json={})
        reply = await s.http.get("/metrics?anonymize=true&per_collection=false&timeout=5")
        assert reply.headers["content-type"].startswith("text/plain")
        lines = reply.text.splitlines()
        count = 'method="POST",endpoint="/collections/{collection_name}/points/count"'
        assert f'rest_responses_total{{{count},status="200"}} 3' in lines
        assert f'rest_responses_total{{{count},status="404"}} 1' in lines
        assert "collections_total 1" in lines
        assert f'collection_points{{id="{name}"}} 2' in lines
        await s.http.put("/collections/a%0Ab%27", json={})
        assert 'collection_points{id="a\\nb\'"} 0\n' in (await s.http.get("/metrics")).text
        assert "# HELP app_info information about qdrant server" in lines
        assert re.search(r'^app_info\{name="qdrant",version="[\d.]+"\} 1$', reply.text, re.M)

        told = (await s.http.get("/telemetry?details_level=3")).json()["result"]
        responses = told["requests"]["rest"]["responses"]
        of_count = responses["POST /collections/{collection_name}/points/count"]
        assert set(of_count) == {"200", "404"}
        assert of_count["200"]["count"] == 3
        good = of_count["200"]
        assert 0 < good["min_duration_micros"] <= good["avg_duration_micros"]
        assert good["avg_duration_micros"] <= good["max_duration_micros"]
        assert good["total_duration_micros"] == pytest.approx(
            3 * good["avg_duration_micros"], abs=1
        )
        assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00$", good["last_responded"])


async def test_each_request_is_one_line_of_the_log(served, caplog):
    caplog.set_level(logging.DEBUG, "asyncstore.server")
    async with served(api_key="k", max_request_size_mb=1) as s:
        await s.http.get("/healthz")
        await s.http.get("/collections", headers={"api-key": "x"})
        key = {"api-key": "k"}
        await s.http.get("/collections/none", headers=key)
        content = b" " * (1 << 21)
        await s.http.post("/collections/none/points/count", content=content, headers=key)
    told = [(record.levelname, record.message.rpartition(" ms=")[0]) for record in caplog.records]
    assert told == [
        ("DEBUG", "method=GET route=/healthz status=200"),
        ("WARNING", "method=GET route=/collections status=401"),
        ("INFO", "method=GET route=/collections/{collection_name} status=404"),
        ("WARNING", "method=POST route=/collections/{collection_name}/points/count status=413"),
    ]
