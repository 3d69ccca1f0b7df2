# A Request object may be fetched, and keywords change it.
from workers import Request, Response


def named(seen):
    own = [pair for pair in seen["headers"] if pair[0].startswith("x-")]
    return [seen["method"], seen["target"], seen["body"], own]


async def on_fetch(request, env):
    made = Request(f"{env.ORIGIN}/made", method="POST", body="first", headers={"X-One": "1"})
    sent = await (await env.GOOD.fetch(made.clone())).json()
    changed = await (await env.GOOD.fetch(made, headers={"X-Two": "2"}, method="PUT")).json()
    return Response.json([named(sent), named(changed)])
