# request.cf is what came with the request.
from workers import Response


def on_fetch(request):
    return Response.json([request.cf.colo, vars(request.cf.tlsClientAuth)])
