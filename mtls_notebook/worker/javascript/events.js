// Why: the older way to write a worker, `addEventListener("fetch", (event) => event.respondWith(…))`, with the bindings
// as globals. It is evaluated before such a cell and gives it that world; for a cell with exports it changes nothing.
// What an answer must be, and how faults are told, may not live here.
import { env } from "cloudflare:workers";

const IS_SERVICE_WORKER = @SERVICE_WORKER@; // decided in Python, by whether the cell exports anything
const listeners = [];

/** What the dispatcher gives when no listener has called `respondWith`. */
export const NOT_RESPONDED = {};

class FetchEvent extends Event {
  #ctx;
  #isOpen = true;
  #answer;

  constructor(request, ctx) {
    super("fetch");
    this.#ctx = ctx;
    Object.defineProperty(this, "request", { value: request, enumerable: true });
  }

  get [Symbol.toStringTag]() {
    return "FetchEvent";
  }

  respondWith(answer) {
    if (this.#answer !== undefined) refuse("FetchEvent.respondWith() has already been called; it can only be called once.");
    if (!this.#isOpen) refuse("Too late to call FetchEvent.respondWith(). It must be called synchronously in the event handler.");
    this.#answer = Promise.resolve(answer);
    this.#answer.catch(() => {}); // whoever takes it hears of it; until then it is not unhandled
  }

  waitUntil(work) {
    this.#ctx.waitUntil(work);
  }

  passThroughOnException() {
    this.#ctx.passThroughOnException();
  }

  static closed(event) {
    event.#isOpen = false;
    return event.#answer;
  }
}

const closed = FetchEvent.closed;
delete FetchEvent.closed; // nothing of ours is the cell's to see

function refuse(message) {
  throw new DOMException(message, "InvalidStateError");
}

function call(listener, event) {
  return typeof listener === "function" ? listener.call(globalThis, event) : listener.handleEvent(event);
}

/** The function that answers requests; undefined when the cell exports, or listens for nothing. */
export function dispatcher(ctx) {
  if (!IS_SERVICE_WORKER || listeners.length === 0) return undefined;
  return (request) => {
    const event = new FetchEvent(request, ctx);
    try {
      for (const listener of listeners) call(listener, event);
    } finally {
      closed(event);
    }
    return closed(event) ?? NOT_RESPONDED;
  };
}

function takeOver() {
  const add = globalThis.addEventListener;
  const remove = globalThis.removeEventListener;
  globalThis.addEventListener = (type, listener, ...rest) => {
    if (type !== "fetch") add.call(globalThis, type, listener, ...rest);
    else if (!listeners.includes(listener)) listeners.push(listener);
  };
  globalThis.removeEventListener = (type, listener, ...rest) => {
    if (type !== "fetch") remove.call(globalThis, type, listener, ...rest);
    else if (listeners.includes(listener)) listeners.splice(listeners.indexOf(listener), 1);
  };
  globalThis.FetchEvent = FetchEvent;
  for (const name of Object.keys(env)) {
    Object.defineProperty(globalThis, name, { value: env[name], enumerable: true, writable: true, configurable: true });
  }
}

if (IS_SERVICE_WORKER) takeOver();
