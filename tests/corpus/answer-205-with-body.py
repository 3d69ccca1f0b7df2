# A status that cannot have a body, with one, is a TypeError.
from workers import Response


def on_fetch(request):
    return Response("body", status=204)
