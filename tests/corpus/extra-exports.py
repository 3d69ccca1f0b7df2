# More names than the handler's do no harm.
from workers import Response, WorkerEntrypoint

LIMITS = {"most": 1}


def most():
    return LIMITS["most"]


class Other(WorkerEntrypoint):
    pass


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(str(most()))
