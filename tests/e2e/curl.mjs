// Runs curl, the client everybody has, and takes its output apart.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";

import { until } from "./until.mjs";

const TIME_S_MAX = "20";
const OUTPUT_MAX = 64 << 20;

/**
 * Runs `curl ARGS` and gives the last answer as `{ status, headers, body, json() }`. Header names
 * are lower-cased. `input` goes to curl's standard input.
 */
export function curl(args, input = "") {
  return new Promise((done, fail) => {
    const options = { encoding: "buffer", maxBuffer: OUTPUT_MAX };
    const all = ["-sS", "-i", "--max-time", TIME_S_MAX, ...args];
    const child = execFile("curl", all, options, (error, out, problems) => {
      const answer = lastAnswer(out);
      if (answer) done(answer);
      else fail(new Error(`curl ${args.join(" ")}: ${error?.message ?? ""} ${problems}`));
    });
    child.stdin.on("error", () => {}); // The server may answer before it has read everything.
    child.stdin.end(input);
  });
}

// Interim answers (100 Continue) come before the one that counts.
function lastAnswer(bytes) {
  for (let rest = bytes; ; ) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const [first, ...lines] = rest.subarray(0, end).toString("latin1").split("\r\n");
    const body = rest.subarray(end + 4);
    const status = Number(first.split(" ")[1]);
    if (status >= 200) {
      const headers = {};
      for (const line of lines) {
        const [, name, value] = /^([^:]*):\s*(.*)$/.exec(line);
        const key = name.toLowerCase();
        headers[key] = key in headers ? `${headers[key]}, ${value}` : value; // RFC 9110 section 5.3.
      }
      return { status, headers, body: body.toString(), json: () => JSON.parse(body) };
    }
    rest = body;
  }
}

/** Every refusal is one line of JSON that says what is wrong and what to do about it. */
export function assertRefused(answer, status, error) {
  assert.equal(answer.status, status, answer.body);
  assert.match(answer.headers["content-type"], /^application\/json\b/);
  assert.match(answer.body, /^[^\n]+\n?$/, "an error is one line");
  const said = answer.json();
  assert.equal(said.error, error);
  assert.ok(said.message && said.hint, answer.body);
}

/** The answer names what may be done with a topic. */
export function assertAllows(answer) {
  const allowed = (answer.headers.allow ?? "").split(",").map((method) => method.trim());
  assert.deepEqual(allowed.sort(), ["GET", "HEAD", "OPTIONS", "POST"]);
}

/** A `curl -N` that keeps running; `text` is what it printed so far. */
export class Stream {
  text = "";

  constructor(args) {
    this.child = spawn("curl", ["-sS", "-N", ...args], { stdio: ["ignore", "pipe", "inherit"] });
    this.child.stdout.setEncoding("utf8").on("data", (piece) => (this.text += piece));
    this.ended = once(this.child, "close");
  }

  /** Waits until `check(text)` gives something truthy, and gives that back. */
  async shows(what, check) {
    return until(what, () => check(this.text)).catch((error) => {
      throw new Error(`${error.message}; curl printed:\n${this.text}`);
    });
  }

  /** Every whole line so far that is not empty, as JSON. */
  get lines() {
    return this.text.split("\n").slice(0, -1).filter(Boolean).map((line) => JSON.parse(line));
  }

  /** Every whole SSE event so far, as its fields; several `data` lines are joined as the standard says. */
  get events() {
    return this.text.split("\n\n").slice(0, -1).map((block) => {
      const fields = {};
      for (const line of block.split("\n")) {
        const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
        fields[name] = name === "data" && "data" in fields ? `${fields.data}\n${value}` : value;
      }
      return fields;
    });
  }

  async stop() {
    this.child.kill("SIGTERM");
    await this.ended;
  }
}
