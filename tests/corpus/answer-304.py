# Not modified, with an ETag.
from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response(status=304, headers={"ETag": '"v1"'})
