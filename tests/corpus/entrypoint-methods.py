# Methods and attributes of an entrypoint hold one request's state.
from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self._seen = []

    async def fetch(self, request):
        for name in ("GOOD", "RSA"):
            await self._ask(name)
        return Response.json(self._seen)

    async def _ask(self, name):
        self._seen.append(await (await getattr(self.env, name).fetch(f"{self.env.ORIGIN}/who")).text())
