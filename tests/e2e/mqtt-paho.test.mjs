// MQTT by paho-mqtt, the client of most programs in Python.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { Program } from "./program.mjs";
import { startServer } from "./server.mjs";
import { numbers } from "./until.mjs";

/** Where `cargo xtask setup` puts what is in `requirements.txt`. */
const PACKAGES = fileURLToPath(new URL("../../target/python", import.meta.url));
const SCRIPT = fileURLToPath(new URL("mqtt-paho.py", import.meta.url));

let server;

before(async () => {
  server = await startServer({ TIDINGS_MQTT_LISTEN: "127.0.0.1:0" });
});

after(async () => {
  await Program.stopAll();
  await server?.stop();
});

async function paho(...args) {
  const { host, port } = server.mqtt;
  const env = { PYTHONPATH: PACKAGES, PYTHONWARNINGS: "ignore" };
  const text = await Program.run("python3", [SCRIPT, host, port, ...args], env);
  return text.trim().split("\n").map((line) => JSON.parse(line));
}

for (const version of ["31", "311", "5"]) {
  for (const callbacks of ["1", "2"]) {
    test(`paho-mqtt, version ${version}, callbacks ${callbacks}: each quality, once and in order`, async () => {
      const got = await paho("qualities", version, callbacks);
      // It hands out one of quality 2 when that is released, so others may overtake it.
      for (const qos of [0, 1, 2]) {
        const sent = numbers(30).map((number) => number - 1).filter((number) => number % 3 === qos);
        assert.deepEqual(got.filter((one) => one.qos === qos).map(({ payload }) => Number(payload)), sent);
      }
      assert.ok(got.every(({ topic, retain }) => topic === `paho/${version}/${callbacks}` && !retain));
    });
  }
}

test("paho-mqtt: properties come as they were sent, and are headers elsewhere", async () => {
  const [{ expiry, ...got }] = await paho("properties");
  assert.ok(expiry > 80 && expiry <= 100);
  const user = [["b", "1"], ["a", "2"], ["b", "3"]];
  assert.deepEqual(got, { retain: true, user, type: "text/x", response: "answers", correlation: "00ff", format: 1 });
  const { events: [event] } = await server.poll("paho/props");
  assert.deepEqual(event.headers, { b: "1, 3", a: "2" });
});
