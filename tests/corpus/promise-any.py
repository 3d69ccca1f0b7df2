# The first that succeeds; an ExceptionGroup when none does.
import asyncio

from workers import Response


async def first_good(*works):
    errors = []
    tasks = [asyncio.ensure_future(work) for work in works]
    for task in asyncio.as_completed(tasks):
        try:
            first = await task
        except OSError as error:
            errors.append(error)
        else:
            await asyncio.gather(*tasks, return_exceptions=True)  # an error that nobody takes is told in the log
            return first
    raise ExceptionGroup("none succeeded", errors)


async def on_fetch(request, env):
    one = await first_good(env.REFUSED.fetch(env.ORIGIN), env.GOOD.fetch(f"{env.ORIGIN}/who"))
    try:
        await first_good(env.REFUSED.fetch(env.ORIGIN), env.EXPIRED.fetch(env.ORIGIN))
    except ExceptionGroup as group:
        said = [type(group).__name__, len(group.exceptions)]
    return Response.json([await one.text(), said])
