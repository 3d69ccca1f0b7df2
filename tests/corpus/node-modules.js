// node: modules that are there: buffer, crypto, path, util, events.
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import { join } from "node:path";
export default {
  fetch() {
    const heard = [];
    new EventEmitter().on("x", (value) => heard.push(value)).emit("x", 1);
    return Response.json([Buffer.from("data").toString("hex"), createHash("sha1").update("data").digest("hex"), join("a", "..", "b"), heard]);
  },
};
