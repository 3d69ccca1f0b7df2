// A reason of one's own.
export default { fetch: () => new Response("short and stout", { status: 418, statusText: "Teapot" }) };
