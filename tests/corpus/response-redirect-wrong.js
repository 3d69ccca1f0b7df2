// Response.redirect with a status that is none.
export default { fetch: () => Response.redirect("https://example.com/next", 200) };
