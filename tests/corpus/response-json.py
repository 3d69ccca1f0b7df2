# Response.json with a status and headers.
from workers import Response


def on_fetch(request):
    return Response.json({"a": [1, None, "ü"]}, status=201, headers={"X-Own": "1"})
