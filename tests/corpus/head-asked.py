# The client's HEAD: the answer's body stays here.
from workers import Response


def on_fetch(request):
    return Response(request.method, headers={"X-Method": request.method})
