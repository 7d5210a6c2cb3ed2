"""What Dify sends and expects, on the platform."""

from __future__ import annotations

import httpx

from tests.conftest import Platform, ready

LEAVE = "Employees may carry over five days of unused annual leave into the next calendar year."
VISA = "外籍员工的签证费用由公司承担，每年最多报销一次。"


async def test_dify_retrieves_passages(api: httpx.AsyncClient, platform: Platform, kb: str) -> None:
    """Its request finds what a search finds, in its shape; narrowed as asked; it is recorded."""
    await ready(api, kb, ("leave.txt", LEAVE.encode()), ("签证.txt", VISA.encode()))
    address = f"{platform.url}/api/v1/dify/retrieval"
    request = {
        "knowledge_id": kb,
        "query": "How many days of leave can be carried over?",
        "retrieval_setting": {"top_k": 2, "score_threshold": 0.0, "reranking_enable": False},
        "unknown": True,
    }
    answer = await api.post(address, json=request)
    best, other = answer.json()["records"]
    assert (best["content"], best["title"]) == (LEAVE, "leave.txt")
    assert 0 <= other["score"] <= best["score"] <= 1
    hits = (await api.post(f"/knowledge-bases/{kb}/search", json={"query": request["query"], "limit": 2})).json()[
        "hits"
    ]
    assert [each["chunk_id"] for each in hits] == [best["metadata"]["chunk_id"], other["metadata"]["chunk_id"]]
    found = await api.get(f"/audit/events?action=knowledge_base.search&kb={kb}")
    events = found.json()["items"]
    assert [each["object_name"] for each in events] == [kb, kb]  # of the retrieval and of the search
    assert request["query"] not in str(events)

    setting = {"top_k": 2, "score_threshold": best["score"]}
    only = await api.post(address, json=request | {"retrieval_setting": setting})
    assert [each["title"] for each in only.json()["records"]] == ["leave.txt"]
    condition = {"conditions": [{"name": "document_name", "comparison_operator": "contains", "value": "签"}]}
    named = await api.post(address, json=request | {"metadata_condition": condition})
    assert [each["title"] for each in named.json()["records"]] == ["签证.txt"]
    unknown = await api.post(address, json=request | {"knowledge_id": "nothing"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")
    wrong = await api.post(address, json=request | {"retrieval_setting": {"top_k": 0}})
    assert wrong.status_code == 400
