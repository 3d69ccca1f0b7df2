// crypto.subtle: digest, HMAC, a key pair; random values and UUIDs.
export default {
  async fetch() {
    const data = new TextEncoder().encode("data");
    const hex = (buffer) => [...new Uint8Array(buffer)].map((one) => one.toString(16).padStart(2, "0")).join("");
    const key = await crypto.subtle.importKey("raw", data, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, data);
    return Response.json([hex(await crypto.subtle.digest("SHA-256", data)), hex(await crypto.subtle.sign("HMAC", key, data)),
      await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, pair.publicKey, signature, data), crypto.randomUUID().length]);
  },
};
