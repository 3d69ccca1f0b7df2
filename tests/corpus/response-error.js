// Response.error() as an answer.
export default { fetch: () => Response.error() };
