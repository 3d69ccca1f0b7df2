// TextDecoder: streaming, fatal, byte order mark.
export default {
  fetch() {
    const decoder = new TextDecoder();
    const parts = [[0xc3], [0xbc, 0x21]].map((bytes, at) => decoder.decode(new Uint8Array(bytes), { stream: at === 0 }));
    let said;
    try { new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff])); } catch (error) { said = error.name; }
    return Response.json([parts, said, new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).length]);
  },
};
