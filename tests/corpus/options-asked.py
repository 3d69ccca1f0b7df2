# A preflight request and its answer.
from workers import Response


def on_fetch(request):
    asked = request.headers
    allowed = {"Allow-Origin": asked["origin"], "Allow-Methods": asked["access-control-request-method"]}
    return Response(headers={f"Access-Control-{name}": value for name, value in allowed.items()})
