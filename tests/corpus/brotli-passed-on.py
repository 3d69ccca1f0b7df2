# A brotli answer given to the client as it came.
from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.GOOD.fetch(f"{self.env.ORIGIN}/br")
