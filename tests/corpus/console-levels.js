// Every level, with strings.
export default {
  fetch() {
    for (const level of ["log", "debug", "info", "warn", "error"]) console[level](`a line of ${level}`);
    return new Response("said");
  },
};
