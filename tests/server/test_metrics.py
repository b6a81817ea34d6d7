"""``/metrics``, read by Prometheus' own library."""

import math
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from asyncstore.models import SearchStage

pytestmark = pytest.mark.asyncio

# Qdrant's users know these; all others are named by one scheme.
KNOWN = {"app_info", "collections_total", "collection_points"}
OURS = re.compile(r"asyncstore_[a-z_]+|rest_responses(_duration_seconds)?")
QUERY = "/collections/c/points/query"
OF_QUERY = {"method": "POST", "endpoint": "/collections/{collection_name}/points/query"}


async def collected(s):
    """The families of a reply, by name; those of counters without _total."""
    reply = await s.http.get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(reply.text))
    assert len({family.name for family in families}) == len(families)
    return {family.name: family for family in families}


def value(families, name, **labels):
    """Of the one sample of this name and these labels; 0 where there is none yet."""
    found = [
        sample.value
        for family in families.values()
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    assert len(found) <= 1
    return found[0] if found else 0.0


async def filled(s):
    config = {
        "vectors": {"size": 4, "distance": "Dot"},
        "quantization_config": {"scalar": {"type": "int8"}},
    }
    await s.http.put("/collections/c", json=config)
    points = [{"id": i, "vector": [i, 1, 0, -i], "payload": {"n": i}} for i in range(50)]
    reply = await s.http.put("/collections/c/points?wait=true", json={"points": points})
    assert reply.status_code == 200


async def test_every_family_says_what_it_is(served):
    async with served() as s:
        await filled(s)
        await s.http.post(QUERY, json={"query": [1, 0, 0, 0]})
        families = await collected(s)
        for name, family in families.items():
            assert family.documentation, name
            assert family.type in ("counter", "gauge", "histogram"), name
            assert name in KNOWN or OURS.fullmatch(name), name
            for sample in family.samples:
                assert math.isfinite(sample.value), sample
                if family.type == "counter":
                    assert sample.name == name + "_total"


def histograms(family):
    """Of each set of labels: the buckets by their bound, the count and the sum."""
    found = {}
    for sample in family.samples:
        labels = {key: text for key, text in sample.labels.items() if key != "le"}
        one = found.setdefault(tuple(sorted(labels.items())), {"buckets": []})
        if sample.name == family.name + "_bucket":
            one["buckets"].append((float(sample.labels["le"]), sample.value))
        else:
            one[sample.name.removeprefix(family.name)] = sample.value
    return found


async def test_buckets_count_all_up_to_their_bound(served):
    async with served() as s:
        await filled(s)
        for _ in range(3):
            await s.http.post(QUERY, json={"query": [1, 0, 0, 0], "with_payload": True})
        families = await collected(s)
        for name in ("asyncstore_search_stage_seconds", "rest_responses_duration_seconds"):
            found = histograms(families[name])
            assert found
            for labels, one in found.items():
                bounds = [bound for bound, _ in one["buckets"]]
                counts = [count for _, count in one["buckets"]]
                assert bounds == sorted(set(bounds)), labels
                assert counts == sorted(counts), labels
                assert bounds[-1] == math.inf
                assert counts[-1] == one["_count"]
                # Each took more than nothing, and at most as long as its bound.
                finite = bounds[:-1]
                least = sum(
                    (count - before) * low
                    for low, before, count in zip(
                        [0, *finite], [0, *counts[:-1]], counts, strict=True
                    )
                )
                assert least <= one["_sum"] + 1e-9, labels
                assert one["_count"] == 0 or one["_sum"] > 0
        stages = dict(histograms(families["asyncstore_search_stage_seconds"]))
        assert {dict(labels)["stage"] for labels in stages} == {
            stage.value for stage in SearchStage
        }
        bounds = [bound for bound, _ in next(iter(stages.values()))["buckets"]]
        assert bounds == [1e-6 * 2**i for i in range(25)] + [math.inf]


async def test_counters_move_by_what_was_asked(served):
    async with served() as s:
        await filled(s)
        before = await collected(s)
        for _ in range(5):
            await s.http.post(QUERY, json={"query": [1, 0, 0, 0], "with_payload": True})
        searches = {"searches": [{"query": [1, 0, 0, 0]}, {"query": [0, 1, 0, 0]}]}
        await s.http.post(QUERY + "/batch", json=searches)
        after = await collected(s)

        def moved(name, **labels):
            return value(after, name, **labels) - value(before, name, **labels)

        assert moved("asyncstore_searches_total") == 7
        stage = "asyncstore_search_stage_seconds_count"
        assert moved(stage, stage="payload") == 5
        for name in ("preselect", "read", "rescore"):
            assert 6 <= moved(stage, stage=name) <= 7
        assert moved(stage, stage="filter") == moved(stage, stage="group") == 0
        assert moved("rest_responses_total", **OF_QUERY, status="200") == 5
        assert moved("rest_responses_duration_seconds_count", **OF_QUERY, status="200") == 5
        rows = moved("asyncstore_rows_rescored_total") + moved("asyncstore_rows_skipped_total")
        assert rows == moved("asyncstore_candidates_total") == 7 * 50
        assert moved("asyncstore_rows_rescored_total") >= 7 * 10


async def test_what_is_in_force_is_told(served):
    async with served() as s:
        families = await collected(s)
        statistics = s.store.statistics()
        told = {"reader": statistics.reader, "reason": statistics.reader_reason}
        assert value(families, "asyncstore_reader_info", **told) == 1
        assert value(families, "asyncstore_workers") == statistics.workers
        assert value(families, "asyncstore_tasks_waiting") == 0
        assert value(families, "asyncstore_cache_bytes") == statistics.cache_bytes


async def test_telemetry_has_the_same_in_detail(served):
    async with served() as s:
        await filled(s)
        await s.http.post(QUERY, json={"query": [1, 0, 0, 0]})
        assert "statistics" not in (await s.http.get("/telemetry")).json()["result"]
        told = (await s.http.get("/telemetry?details_level=1")).json()["result"]["statistics"]
        assert told["searches"] == 1
        assert sum(told["search_stages"]["preselect"]["counts"]) == 1
