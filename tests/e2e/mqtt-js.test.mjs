// MQTT.js: over TCP in node, and over WebSocket in a page beside an EventSource.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import mqtt from "mqtt";

import { blankPage, launch } from "./browser.mjs";
import { freeAddress, startServer } from "./server.mjs";
import { numbers, until, within } from "./until.mjs";

const SCRIPT = fileURLToPath(import.meta.resolve("mqtt/dist/mqtt.min"));

let server;
let browser;

before(async () => {
  server = await startServer({ TIDINGS_MQTT_LISTEN: "127.0.0.1:0" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const addresses = () => [`mqtt://${server.mqtt.host}:${server.mqtt.port}`, `${server.ws}/mqtt`];

for (const protocolVersion of [3, 4, 5]) {
  test(`node, version ${protocolVersion}: both carriers, each quality, once and in order`, async () => {
    for (const address of addresses()) {
      const more = protocolVersion === 3 ? { protocolId: "MQIsdp" } : {};
      const client = await mqtt.connectAsync(address, { protocolVersion, reconnectPeriod: 0, ...more });
      const got = [];
      client.on("message", (topic, payload, packet) => got.push([topic, String(payload), packet.qos]));
      const [granted] = await client.subscribeAsync("js/+", { qos: 2 });
      assert.equal(granted.qos, 2);
      const sent = numbers(60).map((number) => [`js/${number % 4}`, String(number), number % 3]);
      await Promise.all(sent.map(([topic, payload, qos]) => client.publishAsync(topic, payload, { qos })));
      await until("every message", () => got.length >= sent.length);
      // The client hands out one of quality 2 when that is released, so others may overtake it.
      const of = (all, quality) => all.filter(([, , qos]) => qos === quality);
      for (const quality of [0, 1, 2]) assert.deepEqual(of(got, quality), of(sent, quality));
      await client.endAsync();
    }
  });
}

test("node: properties come as they were sent", async () => {
  const client = await mqtt.connectAsync(addresses()[0], { protocolVersion: 5, reconnectPeriod: 0 });
  const message = within("the message", new Promise((done) => client.once("message", (...all) => done(all))));
  await client.subscribeAsync("js/props", { qos: 1, properties: { subscriptionIdentifier: 300 } });
  const properties = {
    userProperties: { a: ["1", "2"], b: "3" }, contentType: "application/json", responseTopic: "r",
    correlationData: Buffer.from([0, 255]), payloadFormatIndicator: true,
  };
  await client.publishAsync("js/props", "{}", { qos: 1, properties });
  const [, , packet] = await message;
  const { subscriptionIdentifier, userProperties, ...got } = packet.properties;
  assert.equal(subscriptionIdentifier, 300);
  assert.deepEqual({ ...userProperties }, properties.userProperties);
  const { userProperties: _, ...expected } = properties;
  assert.deepEqual({ ...got }, expected);
  await client.endAsync();
});

test("node: comes back by itself to a server that was killed, and misses nothing", async () => {
  const data = await mkdtemp(join(tmpdir(), "tidings-mqtt-"));
  const env = { TIDINGS_DATA: data, TIDINGS_MQTT_LISTEN: await freeAddress() };
  let killed = await startServer(env);
  const options = { protocolVersion: 5, clean: false, clientId: "stays", reconnectPeriod: 50, properties: { sessionExpiryInterval: 3600 } };
  const client = await mqtt.connectAsync(`mqtt://${env.TIDINGS_MQTT_LISTEN}`, options);
  client.on("error", () => {}); // Nobody is there for a while.
  const got = [];
  client.on("message", (topic, payload) => got.push(String(payload)));
  await client.subscribeAsync("stays", { qos: 2 });
  await client.publishAsync("stays", "1", { qos: 2 });
  await killed.kill();
  const away = client.publishAsync("stays", "2", { qos: 2 });
  killed = await startServer(env);
  await away;
  await client.publishAsync("stays", "3", { qos: 2 });
  await until("every message", () => got.length >= 3);
  assert.deepEqual(got, ["1", "2", "3"]);
  await client.endAsync();
  await killed.stop();
  await rm(data, { recursive: true });
});

test("a page that listens by MQTT.js and by EventSource hears the same, and both hear each other", async () => {
  const page = await blankPage(browser, server);
  await page.addScriptTag({ path: SCRIPT });
  await page.evaluate(async (url) => {
    window.heard = { mqtt: [], events: [] };
    window.client = await mqtt.connectAsync(`${url.replace("http", "ws")}/mqtt`, { protocolVersion: 5 });
    client.on("message", (topic, payload) => heard.mqtt.push(new TextDecoder().decode(payload)));
    await client.subscribeAsync("page/+", { qos: 1 });
    const source = new EventSource("/t/page/*");
    source.onmessage = ({ data }) => heard.events.push(data);
    await new Promise((done) => (source.onopen = done));
  }, server.url);
  await server.publish("page/http", "by HTTP");
  await page.evaluate(() => client.publishAsync("page/mqtt", "by MQTT \u{1f980}", { qos: 2 }));
  await server.publish("page/http", "at last");
  const expected = ["by HTTP", "by MQTT \u{1f980}", "at last"];
  const heard = await until("both heard everything", async () => {
    const now = await page.evaluate(() => heard);
    return now.mqtt.length >= 3 && now.events.length >= 3 && now;
  });
  const texts = heard.events.map((data) => (data.startsWith("{") ? JSON.parse(data).data : data));
  assert.deepEqual([heard.mqtt, texts], [expected, expected]);
  await page.close();
});
