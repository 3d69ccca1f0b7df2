# Work after the answer: it may fetch.
from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        async def later():
            await (await self.env.GOOD.fetch(f"{self.env.ORIGIN}/who")).text()

        self.ctx.waitUntil(later())
        return Response("answered first")
