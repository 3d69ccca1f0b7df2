# Good and bad fetches side by side.
import asyncio

from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        env = self.env
        every = [
            env.GOOD.fetch(env.ORIGIN),
            env.REFUSED.fetch(env.ORIGIN),
            env.RSA.fetch(env.ORIGIN),
            env.GOOD.fetch("nope"),
        ]
        came = await asyncio.gather(*every, return_exceptions=True)
        return Response.json(["rejected" if isinstance(one, Exception) else "fulfilled" for one in came])
