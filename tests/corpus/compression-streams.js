// CompressionStream and back.
export default {
  async fetch() {
    const packed = new Response("again ".repeat(100)).body.pipeThrough(new CompressionStream("gzip"));
    const text = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).text();
    return new Response(text.length);
  },
};
