// Why: workerd prints `console.log` and little else. This module gives a worker the whole console and hands every
// line to the native one as ONE finished string, so that Python only has to read lines.
// It is evaluated before the user's cell. Nothing about requests or responses may live here.
import { formatWithOptions, inspect } from "node:util";

const LONGEST_LINE = 16_384; // characters; what is cut is said
const MOST_TABLE_ROWS = 1_000;
const OUR_FRAME = /\n *at [^\n]*\b(?:notebook-host|console-lines|service-worker):\d+:\d+\)?( \{)?(?=\n|$)/g; // an error with fields ends " {"

const native = {};
for (const level of ["log", "debug", "info", "warn", "error"]) native[level] = console[level].bind(console);

const counts = new Map();
const timers = new Map();
let indentation = "";

function cut(text) {
  if (text.length <= LONGEST_LINE) return text;
  return `${text.slice(0, LONGEST_LINE)}… (${text.length - LONGEST_LINE} more characters)`;
}

function indented(text) {
  return indentation ? indentation + text.replaceAll("\n", `\n${indentation}`) : text;
}

/** Our own frames tell a reader nothing. */
function withoutOurFrames(text) {
  return /\b(?:notebook-host|service-worker):/.test(text) ? text.replace(OUR_FRAME, "$1") : text;
}

function print(level, text) {
  native[level](cut(indented(withoutOurFrames(text))));
}

function printer(level) {
  return (...values) => print(level, formatWithOptions({}, ...values));
}

/** One line for an error that no code caught, at whatever time it came. */
export function reportLate(what, reason) {
  const text = inspect(reason);
  if (text.includes("node-internal:internal_inspect")) return; // inspecting a Fetcher leaves a failed call behind
  native.error(cut(withoutOurFrames(`Uncaught (${what}) ${text}`)));
}

// ---- group ----
function group(...values) {
  if (values.length > 0) printer("log")(...values);
  indentation += "  ";
}

function groupEnd() {
  indentation = indentation.slice(2);
}

// ---- count, time ----
function count(label = "default") {
  const next = (counts.get(`${label}`) ?? 0) + 1;
  counts.set(`${label}`, next);
  print("log", `${label}: ${next}`);
}

function countReset(label = "default") {
  if (!counts.delete(`${label}`)) print("warn", `Count for '${label}' does not exist`);
}

function time(label = "default") {
  if (timers.has(`${label}`)) print("warn", `Timer '${label}' already runs`);
  else timers.set(`${label}`, performance.now());
}

function timeLog(label = "default", ...values) {
  const begun = timers.get(`${label}`);
  if (begun === undefined) return print("warn", `Timer '${label}' does not exist`);
  const line = `${label}: ${(performance.now() - begun).toFixed(0)}ms`;
  return print("log", values.length > 0 ? `${line} ${formatWithOptions({}, ...values)}` : line);
}

function timeEnd(label = "default") {
  timeLog(label);
  timers.delete(`${label}`);
}

// ---- trace, assert, dir ----
function trace(...values) {
  const here = { stack: "" };
  Error.captureStackTrace(here, trace);
  const frames = `${here.stack}`.split("\n").slice(1).filter((line) => !/\b(notebook-host|console-lines|service-worker):\d/.test(line));
  const title = values.length > 0 ? `Trace: ${formatWithOptions({}, ...values)}` : "Trace";
  print("error", [title, ...frames].join("\n"));
}

function assert(condition, ...values) {
  if (condition) return;
  if (typeof values[0] === "string") values[0] = `Assertion failed: ${values[0]}`;
  else values.unshift("Assertion failed");
  printer("error")(...values);
}

function dir(value, options = {}) {
  print("log", inspect(value, { customInspect: false, ...options }));
}

// ---- table ----
function entriesOf(data) {
  if (data instanceof Map) return [...data].map(([key, value], at) => [at, { Key: key, Values: value }]);
  if (data instanceof Set) return [...data].map((value, at) => [at, value]);
  return Object.entries(data);
}

function cellText(value) {
  return inspect(value, { depth: 0, breakLength: Infinity }).replaceAll("\n", " ");
}

/** [index, fields by column name, the value itself where it has no fields] for each entry. */
function rowsOf(data, only) {
  return entriesOf(data).slice(0, MOST_TABLE_ROWS).map(([index, value]) => {
    const hasFields = value !== null && typeof value === "object";
    const fields = hasFields ? Object.entries(value).filter(([name]) => !only || only.includes(name)) : [];
    return [`${index}`, new Map(fields.map(([name, field]) => [name, cellText(field)])), hasFields ? "" : cellText(value)];
  });
}

function table(data, only) {
  if (data === null || typeof data !== "object") return printer("log")(data);
  const rows = rowsOf(data, only);
  const columns = only ? [...only] : [...new Set(rows.flatMap(([, fields]) => [...fields.keys()]))];
  const plain = rows.some(([, , value]) => value !== "");
  const head = ["(index)", ...columns, ...(plain ? ["Values"] : [])];
  const body = rows.map(([index, fields, value]) =>
    [index, ...columns.map((name) => fields.get(name) ?? ""), ...(plain ? [value] : [])]);
  return print("log", boxed(head, body));
}

function boxed(head, body) {
  const widths = head.map((_, at) => Math.max(...[head, ...body].map((row) => row[at].length)) + 2);
  const rule = (left, middle, right) => left + widths.map((width) => "─".repeat(width)).join(middle) + right;
  const line = (row) => `│${row.map((text, at) => ` ${text}`.padEnd(widths[at])).join("│")}│`;
  return [rule("┌", "┬", "┐"), line(head), rule("├", "┼", "┤"), ...body.map(line), rule("└", "┴", "┘")].join("\n");
}

Object.assign(console, {
  log: printer("log"), debug: printer("debug"), info: printer("info"), warn: printer("warn"), error: printer("error"),
  dirxml: printer("log"), group, groupCollapsed: group, groupEnd, count, countReset, time, timeLog, timeEnd,
  trace, assert, dir, table,
});
