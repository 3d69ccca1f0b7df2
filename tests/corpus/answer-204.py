# The worker's own answer without a body.
from workers import Response


def on_fetch(request):
    return Response(None, status=204, headers={"X-Own": "1"})
