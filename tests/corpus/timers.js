// setInterval, clearInterval, clearTimeout, and the arguments of a timer.
export default {
  async fetch() {
    const seen = [];
    const every = setInterval((what) => { seen.push(what); if (seen.length === 3) clearInterval(every); }, 1, "tick");
    clearTimeout(setTimeout(() => seen.push("never"), 1));
    await scheduler.wait(30);
    return Response.json(seen);
  },
};
