// Response.redirect to an absolute address.
export default { fetch: () => Response.redirect("https://example.com/next", 307) };
