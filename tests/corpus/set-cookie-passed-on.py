# Cookies of the origin and one more, given to the client.
from workers import WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        answer = await self.env.GOOD.fetch(f"{self.env.ORIGIN}/cookies")
        passed = answer.replace_body("with cookies")
        passed.headers["Set-Cookie"] = "own=3"
        del passed.headers["content-length"]
        return passed
