# Awaitables within awaitables, objects with __await__, asynchronous generators.
from workers import Response, WorkerEntrypoint


class Later:
    def __init__(self, work):
        self._work = work

    def __await__(self):
        return self._work.__await__()


async def three():
    return 3


async def a_coroutine_of(work):
    return work


class Default(WorkerEntrypoint):
    async def names(self):
        for name in ("GOOD", "RSA"):
            yield await (await getattr(self.env, name).fetch(f"{self.env.ORIGIN}/who")).text()

    async def fetch(self, request):
        later = Later(self.env.GOOD.fetch(f"{self.env.ORIGIN}/who"))
        found = [name async for name in self.names()]
        return Response.json([await (await later).text(), found, await (await a_coroutine_of(three()))])
