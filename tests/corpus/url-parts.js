// URL and URLSearchParams.
export default {
  fetch() {
    const url = new URL("https://user:pw@EXAMPLE.com:443/a/./b/../c?x=1&x=2#f");
    url.searchParams.append("y", "ü &");
    return Response.json([url.href, url.host, url.port, url.searchParams.getAll("x"), URL.canParse("nope"), new URL("?z", url).search]);
  },
};
