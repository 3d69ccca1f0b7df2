# The announcement's shape: a handler that returns what the binding's fetch returned.
from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.GOOD.fetch(self.env.ORIGIN)
