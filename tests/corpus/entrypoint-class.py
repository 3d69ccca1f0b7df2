# A WorkerEntrypoint class: env and ctx are its own.
from urllib.parse import urlsplit

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        answer = await self.env.GOOD.fetch(f"{self.env.ORIGIN}/who")
        kind = "function" if callable(self.ctx.waitUntil) else "nothing"
        return Response(f"{urlsplit(request.url).path} {await answer.text()} {kind}")
