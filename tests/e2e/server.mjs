// Starts the server under test, one process for each test file, and stops the one it started.
// It must never touch a process it did not start.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

import { until, within } from "./until.mjs";

const OUTPUT_MAX = 1 << 20;

/** An address that nobody listens on: for servers that have to know their own, or that are started again. */
export async function freeAddress() {
  const socket = createServer().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  await new Promise((done) => socket.close(done));
  return `127.0.0.1:${port}`;
}

/** Starts `$TIDINGS_BIN serve`, on a free port unless told, and waits until `GET /readyz` says yes. */
export async function startServer(env = {}, listen = "127.0.0.1:0") {
  const binary = process.env.TIDINGS_BIN;
  if (!binary) throw new Error("set TIDINGS_BIN to the tidings binary, such as target/release/tidings");
  const child = spawn(binary, ["serve", "--listen", listen], {
    // In memory, so that no run leaves a folder behind.
    env: { ...process.env, TIDINGS_DATA: "none", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let failure;
  const hear = (bytes) => (output = (output + bytes).slice(-OUTPUT_MAX));
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  child.on("error", (error) => (failure = error));
  const exited = once(child, "exit").catch(() => {});
  const isGone = () => failure || child.exitCode !== null || child.signalCode !== null;

  const url = await until("the server prints its address", () => {
    if (isGone()) throw new Error(`the server did not start: ${failure ?? ""}\n${output}`);
    return /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0];
  });
  await until("the server is ready", async () => {
    if (isGone()) throw new Error(`the server is gone:\n${output}`);
    return fetch(`${url}/readyz`).then((response) => response.ok, () => false);
  });

  return {
    url,
    ws: url.replace("http", "ws"),
    /** Where it listens for MQTT, with `TIDINGS_MQTT_LISTEN`. */
    get mqtt() {
      const [, host, port] = /mosquitto_sub -h (\S+) -p (\d+)/.exec(output) ?? assert.fail(`no MQTT: ${output}`);
      return { host, port };
    },
    output: () => output,
    /** Asks the server to end in good order; gives its exit code. */
    async stop() {
      if (!isGone()) child.kill("SIGTERM");
      await within("the server ends after SIGTERM", exited, 15_000).catch((error) => {
        child.kill("SIGKILL");
        throw new Error(`${error.message}\n${output}`);
      });
      return child.exitCode;
    },
    /** Ends the server as a loss of power does: it hears nothing of it. */
    async kill() {
      child.kill("SIGKILL");
      await within("the server is gone after SIGKILL", exited);
    },
    /** Publishes one message and gives the server's answer; `headers` as fetch takes them. */
    async publish(topic, body, headers = {}) {
      const response = await fetch(`${url}/t/${topic}`, { method: "POST", body, headers });
      const answer = await response.json();
      if (response.status !== 201) throw new Error(`publishing answered ${response.status} ${JSON.stringify(answer)}`);
      return answer;
    },
    /** Publishes each body as a message of its own, in order. */
    async publishAll(topic, bodies) {
      for (const body of bodies) await this.publish(topic, String(body));
    },
    async poll(topic, query = "") {
      return (await fetch(`${url}/t/${topic}?via=poll&${query}`)).json();
    },
  };
}
