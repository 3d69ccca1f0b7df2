// Statuses that a Response cannot have.
export default {
  fetch() {
    const said = {};
    for (const status of [0, 99, 100, 101, 199, 600, 999, 1000, -1, "201", 200.5]) {
      try { said[status] = new Response(null, { status }).status; } catch (error) { said[status] = error.name; }
    }
    return Response.json(said);
  },
};
