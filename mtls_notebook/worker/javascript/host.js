// Why: the worker's main module. It runs the user's cell as production would and makes every way in which a cell can
// fail tell itself: a missing handler, a throw, an answer that is no Response, an error that comes late.
// The environment passes through untouched, and a good Response too. No formatting of console lines may live here.
import { reportLate } from "console-lines"; // first: the console must be whole before the cell's top level runs
import { NOT_RESPONDED, dispatcher } from "service-worker"; // second: its globals too
import * as cell from "cell";
import { WorkerEntrypoint } from "cloudflare:workers";
import { inspect } from "node:util";

const TOKEN = "@TOKEN@"; // so that no answer is taken for a fault by chance; a cell that reads it here fools only itself
const FAULT_HEADER = "mtls-notebook-fault";
const PROBE_HEADER = "mtls-notebook-probe"; // with the token: is anybody there? No code of the cell runs for it

function brief(value) {
  const text = inspect(value, { depth: 1, breakLength: Infinity });
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function fault(kind, fields) {
  return new Response(JSON.stringify({ kind, ...fields }), { status: 500, headers: { [FAULT_HEADER]: TOKEN } });
}

function threw(reason) {
  if (!(reason instanceof Error)) return fault("threw-value", { message: brief(reason) });
  return fault("threw", { name: `${reason.name}`, message: `${reason.message}`, stack: `${reason.stack}` });
}

function isEntrypoint(exported) {
  return typeof exported === "function" && exported.prototype instanceof WorkerEntrypoint;
}

/** The function that answers requests, or undefined. */
function handlerOf(env, ctx) {
  const dispatch = dispatcher(ctx);
  if (dispatch !== undefined) return dispatch;
  const target = isEntrypoint(cell.default) ? new cell.default(ctx, env) : cell.default;
  if (typeof target?.fetch !== "function") return undefined;
  return (request) => target.fetch(request, env, ctx);
}

function noHandler() {
  const exported = cell.default;
  const kind = typeof exported === "function" ? `${/^class\b/.test(`${exported}`) ? "class" : "function"} ${exported.name}`
    : brief(exported);
  return fault("no-handler", { names: Object.keys(cell), exported: "default" in cell ? kind.trim() : null });
}

/** What production refuses at deployment: an export that is neither a function nor an object. */
function exportFault() {
  const isHandler = (value) => typeof value === "function" || (typeof value === "object" && value !== null);
  const name = Object.keys(cell).find((key) => !isHandler(cell[key]));
  return name === undefined ? undefined : { export: name, message: brief(cell[name]) };
}

const EXPORT_FAULT = exportFault();

/** Undo the one coding that Python cannot: without its header workerd hands out the plain body. */
function withoutBrotli(answer) {
  if (answer.headers.get("content-encoding") !== "br") return answer;
  const headers = new Headers(answer.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}

/** Make the rejections of `ctx.waitUntil` visible: workerd swallows them. */
function watchLateWork(ctx) {
  const waitUntil = ctx.waitUntil.bind(ctx);
  ctx.waitUntil = (work) => waitUntil(Promise.resolve(work).catch((reason) => reportLate("in waitUntil", reason)));
}

/** Make throws of callbacks visible: workerd swallows those too. */
function watchCallbacks(name) {
  const schedule = globalThis[name];
  const watched = (callback) => (...values) => {
    try {
      return callback(...values);
    } catch (reason) {
      reportLate(`in ${name}`, reason);
      throw reason;
    }
  };
  globalThis[name] = (callback, ...rest) =>
    schedule(typeof callback === "function" ? watched(callback) : callback, ...rest);
}

["setTimeout", "setInterval", "queueMicrotask"].forEach(watchCallbacks);
addEventListener("unhandledrejection", (event) => reportLate("in promise", event.reason));

export default {
  async fetch(request, env, ctx) {
    if (request.headers.get(PROBE_HEADER) === TOKEN) return new Response();
    try {
      watchLateWork(ctx);
      const handler = handlerOf(env, ctx);
      if (handler === undefined) return noHandler();
      if (EXPORT_FAULT !== undefined) return fault("bad-export", EXPORT_FAULT);
      const answer = await handler(request);
      if (answer === NOT_RESPONDED) return fault("not-responded", {});
      if (!(answer instanceof Response)) return fault("not-a-response", { message: brief(answer) });
      if (answer.bodyUsed) return fault("body-used", {});
      return withoutBrotli(answer);
    } catch (reason) {
      return threw(reason);
    }
  },
};
