// A Firefox for the tests, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), since what drives Chromium
// here cannot drive the Firefox that a distribution has. It must never touch a Firefox that it did not start.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import WebSocket from "ws";

import { until, within } from "./until.mjs";

const OUTPUT_MAX = 1 << 16;
const START_MS = 60_000;

/** Starts a Firefox with a profile of its own; `newPage` and `close` as far as these tests need them of a browser. */
export async function launchFirefox() {
  const profile = await mkdtemp(join(tmpdir(), "tidings-firefox-"));
  const child = spawn(process.env.FIREFOX ?? "/usr/bin/firefox-esr",
    ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"],
    { env: { ...process.env, HOME: profile }, stdio: ["ignore", "ignore", "pipe"] });
  let output = "";
  let failure;
  child.stderr.on("data", (bytes) => (output = (output + bytes).slice(-OUTPUT_MAX)));
  child.on("error", (error) => (failure = error));
  const exited = once(child, "exit").catch(() => {});
  const url = await until("Firefox says where it listens", () => {
    if (failure || child.exitCode !== null) throw new Error(`Firefox did not start: ${failure ?? output}`);
    return /WebDriver BiDi listening on (ws:\S+)/.exec(output)?.[1];
  }, START_MS);
  const { ask, socket } = await connect(`${url}/session`);
  await ask("session.new", { capabilities: {} });
  return {
    async newPage() {
      const { context } = await ask("browsingContext.create", { type: "tab" });
      return page(ask, context);
    },
    async close() {
      socket.terminate();
      child.kill("SIGTERM");
      await within("Firefox ends", exited).catch(() => child.kill("SIGKILL"));
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The commands of the protocol: each is asked, and answered by its number. */
async function connect(url) {
  const socket = new WebSocket(url);
  await within("Firefox takes the connection", once(socket, "open"));
  const waiting = new Map();
  let asked = 0;
  socket.on("message", (text) => {
    const { id, type, result, error, message } = JSON.parse(text);
    const { done, fail } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (type === "error") fail?.(new Error(`${error}: ${message}`));
    else done?.(result);
  });
  const ask = (method, params) => {
    const id = ++asked;
    const answer = new Promise((done, fail) => waiting.set(id, { done, fail }));
    socket.send(JSON.stringify({ id, method, params }));
    return within(method, answer, START_MS);
  };
  return { ask, socket };
}

function page(ask, context) {
  return {
    goto: (url) => ask("browsingContext.navigate", { context, url, wait: "complete" }),
    /** Gives what a function gives that runs in the page, as far as JSON can hold it. */
    async evaluate(code, argument) {
      const call = typeof code === "function" ? `(${code})(${JSON.stringify(argument)})` : code;
      const expression = `(async () => JSON.stringify(await (${call})))()`;
      const answer = await ask("script.evaluate", { expression, awaitPromise: true, target: { context } });
      if (answer.type !== "success") throw new Error(answer.exceptionDetails.text);
      return answer.result.value === undefined ? undefined : JSON.parse(answer.result.value);
    },
    async screenshot() {
      const { data } = await ask("browsingContext.captureScreenshot", { context, origin: "document" });
      return Buffer.from(data, "base64");
    },
    close: () => ask("browsingContext.close", { context }),
  };
}
