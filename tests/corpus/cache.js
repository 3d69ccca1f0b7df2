// The cache interface without a cache behind it.
export default {
  async fetch() {
    try {
      const found = await caches.default.match("https://example.com/");
      return new Response(`${found}`);
    } catch (error) {
      return new Response(error.name);
    }
  },
};
