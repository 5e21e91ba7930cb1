// MQTT by the command-line clients of Mosquitto, in every version of the protocol.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Program } from "./program.mjs";
import { startServer } from "./server.mjs";
import { until } from "./until.mjs";

const FORM = ">%t|%p|%q|%r";
const VERSIONS = ["mqttv31", "mqttv311", "mqttv5"];

let server;

before(async () => {
  server = await startServer({ TIDINGS_MQTT_LISTEN: "127.0.0.1:0" });
});

after(async () => {
  await Program.stopAll();
  await server?.stop();
});

const where = () => ["-h", server.mqtt.host, "-p", server.mqtt.port];
const publish = (...args) => Program.run("mosquitto_pub", [...where(), ...args]);
// Each message is a line that begins with >; what else it prints is about itself.
const subscribing = (...args) => new Program("stdbuf", ["-oL", "mosquitto_sub", ...where(), "-d", "-F", FORM, ...args]);
const messages = (text) => text.split("\n").filter((line) => line.startsWith(">")).map((line) => line.slice(1));

/** A subscriber that is one by now. */
async function subscriber(...args) {
  const program = subscribing(...args);
  await program.shows("it is subscribed", (text) => /Subscribed \(mid/.test(text));
  return program;
}

for (const version of VERSIONS) {
  test(`mosquitto_sub ${version}: what mosquitto_pub and curl publish comes in each quality`, async () => {
    const topic = `sub/${version}`;
    const readers = await Promise.all([0, 1, 2].map((qos) => subscriber("-V", version, "-q", qos, "-t", `${topic}/#`)));
    for (const qos of [0, 1, 2]) await publish("-V", version, "-q", qos, "-t", `${topic}/a`, "-m", `of ${qos}`);
    await server.publish(`${topic}/http`, "by HTTP");
    for (const [granted, reader] of readers.entries()) {
      await reader.shows("the last one", (text) => messages(text).length === 4);
      const expected = [0, 1, 2].map((qos) => `${topic}/a|of ${qos}|${Math.min(qos, granted)}|0`);
      assert.deepEqual(messages(reader.text), [...expected, `${topic}/http|by HTTP|${granted}|0`]);
      await reader.stop();
    }
    const { events } = await server.poll(`${topic}/a`);
    assert.deepEqual(events.map((event) => event.data), ["of 0", "of 1", "of 2"]);
  });

  test(`mosquitto_sub ${version}: a session that stays gets what it missed, once and in order`, async () => {
    const topic = `away/${version}`;
    const stays = ["-V", version, "-i", `away-${version}`, "-c", "-q", "2", "-t", topic];
    if (version === "mqttv5") stays.push("-x", "3600");
    await Program.run("mosquitto_sub", [...where(), ...stays, "-E"]);
    const missed = [1, 2, 3, 4, 5].map(String);
    for (const text of missed) await publish("-V", version, "-q", "2", "-t", topic, "-m", text);
    const back = subscribing(...stays, "-C", "5");
    await back.shows("what it missed", (text) => messages(text).length === 5);
    assert.deepEqual(messages(back.text).map((line) => line.split("|")[1]), missed);
    await back.ended;
  });

  test(`mosquitto_sub ${version}: a retained message, its successor and its end`, async () => {
    const topic = `kept/${version}`;
    const told = async (...args) => messages(await Program.run("mosquitto_sub", [...where(), "-F", FORM, "-V", version, "-q", "1", "-t", `${topic}/#`, ...args]));
    for (const text of ["old", "new"]) await publish("-V", version, "-q", "1", "-r", "-t", `${topic}/a`, "-m", text);
    await publish("-V", version, "-q", "1", "-r", "-t", `${topic}/b`, "-m", "gone");
    await publish("-V", version, "-q", "1", "-r", "-t", `${topic}/b`, "-n");
    assert.deepEqual(await told("-C", "1"), [`${topic}/a|new|1|1`]);
    await publish("-V", version, "-q", "1", "-r", "-t", `${topic}/a`, "-n");
    const nothing = await subscriber("-V", version, "-q", "1", "-t", `${topic}/#`);
    await publish("-V", version, "-q", "1", "-t", `${topic}/a`, "-m", "now");
    await nothing.shows("the one of now", (text) => messages(text).length > 0);
    assert.deepEqual(messages(nothing.text), [`${topic}/a|now|1|0`]);
    await nothing.stop();
  });

  test(`mosquitto_sub ${version}: the will of one that is killed, not of one that ends`, async () => {
    const topic = `will/${version}`;
    const watcher = await subscriber("-V", version, "-q", "1", "-t", topic);
    for (const [signal, text] of [["SIGTERM", "goodbye"], ["SIGKILL", "killed"]]) {
      const args = ["-V", version, "-t", "nothing", "--will-topic", topic, "--will-payload", text, "--will-qos", "1"];
      await (await subscriber(...args)).stop(signal);
    }
    await watcher.shows("the will", (text) => messages(text).some((line) => line.includes("killed")));
    // In the newest version it says that it wants its will though it ends (section 3.14.2.1, 0x04).
    const wills = version === "mqttv5" ? ["goodbye", "killed"] : ["killed"];
    assert.deepEqual(messages(watcher.text), wills.map((text) => `${topic}|${text}|1|0`));
    await watcher.stop();
  });
}

test("mosquitto_pub: properties are headers elsewhere, and lines of a file are messages", async () => {
  const given = ["user-property Unit C", "content-type text/markdown", "response-topic answers", "correlation-data 42", "message-expiry-interval 100"];
  const properties = given.flatMap((property) => ["-D", "publish", ...property.split(" ")]);
  await publish("-V", "5", "-q", "1", "-t", "props", "-m", "*21*", ...properties);
  const { events: [event] } = await server.poll("props");
  assert.deepEqual([event.data, event.contentType, event.headers], ["*21*", "text/markdown", { Unit: "C" }]);
  assert.deepEqual([event.responseTopic, event.correlationData], ["answers", Buffer.from("42").toString("base64")]);
});

test("mosquitto_rr: a request that curl could answer", async () => {
  const request = new Program("mosquitto_rr", [...where(), "-V", "5", "-q", "1", "-t", "ask", "-e", "answers/rr", "-m", "how warm?"]);
  const event = await until("the request is there", async () => (await server.poll("ask")).events[0]);
  assert.deepEqual([event.data, event.responseTopic], ["how warm?", "answers/rr"]);
  await server.publish(event.responseTopic, "21");
  assert.equal(await request.ended, 0);
  assert.equal(request.text.trim(), "21");
});
