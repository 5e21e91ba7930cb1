// Clients that others wrote and published: `ws` for WebSockets, `eventsource` for SSE in node.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EventSource } from "eventsource";

import { Line } from "./line.mjs";
import { startServer } from "./server.mjs";
import { numbers, until, within } from "./until.mjs";

let server;

before(async () => {
  server = await startServer({ TIDINGS_TIMES_HEARTBEAT: "1s" });
});

after(() => server?.stop());

const isError = (frame, error) => {
  assert.equal(frame.error, error);
  assert.ok(frame.message && frame.hint, `an error says what is wrong and what to do: ${JSON.stringify(frame)}`);
};

const many = (options) => Line.open(`${server.ws}/ws`, ["tidings.v1"], options);
const eventsOf = (line, sub) => line.said.filter((frame) => frame.sub === sub && frame.event).map(({ event }) => event);

// ---- A topic as a WebSocket

test("ws: what is sent on a topic's socket is published and comes to every reader", async () => {
  const [speaker, reader] = [await Line.open(`${server.ws}/t/ws/talk`), await Line.open(`${server.ws}/t/ws/talk`)];
  await reader.hear("ready", (frame) => frame.type === "ready" && frame.position);
  speaker.say("hello");
  speaker.say(Buffer.from([0, 255]));
  for (const line of [speaker, reader]) {
    const text = await line.hear("the text", (frame) => frame.data === "hello");
    assert.equal(text.topic, "ws/talk");
    assert.equal(text.type, "message");
    assert.match(text.contentType, /^text\/plain\b/);
    const bytes = await line.hear("the bytes", (frame) => frame.encoding === "base64");
    assert.equal(bytes.data, "AP8=");
    assert.equal(bytes.contentType, "application/octet-stream");
  }
  assert.equal((await server.poll("ws/talk")).events.length, 2);
  await Promise.all([speaker.close(), reader.close()]);
});

test("ws: a topic's socket resumes from a position and begins with the newest it is asked for", async () => {
  await server.publishAll("ws/resume", numbers(5));
  const { events } = await server.poll("ws/resume");
  const since = await Line.open(`${server.ws}/t/ws/resume?since=${events[1].position}`);
  const last = await Line.open(`${server.ws}/t/ws/resume?last=2`);
  await server.publish("ws/resume", "6");
  const data = async (line) => {
    await line.hear("the newest", (frame) => frame.data === "6");
    return line.said.filter((frame) => frame.topic).map((frame) => frame.data);
  };
  assert.deepEqual(await data(since), ["3", "4", "5", "6"]);
  assert.deepEqual(await data(last), ["4", "5", "6"]);
  await Promise.all([since.close(), last.close()]);
});

test("ws: with data=raw each frame is one payload, text as text and bytes as binary", async () => {
  const line = await Line.open(`${server.ws}/t/ws/raw?data=raw`);
  await server.publish("ws/raw", "plain");
  await server.publish("ws/raw", '{"a":1}', { "content-type": "application/json" });
  await server.publish("ws/raw", new Uint8Array([1, 254]), { "content-type": "application/octet-stream" });
  await until("three frames", () => line.frames.length >= 3);
  const frames = line.frames.map(({ bytes, isBinary }) => [isBinary, bytes.toString(isBinary ? "hex" : "utf8")]);
  assert.deepEqual(frames, [[false, "plain"], [false, '{"a":1}'], [true, "01fe"]]);
  await line.close();
});

test("ws: a frame that cannot be published is answered with an error and the socket stays open", async () => {
  const line = await Line.open(`${server.ws}/t/ws/*`);
  line.say("to whom?");
  isError(await line.hear("the error", (frame) => frame.type === "error"), "bad_topic");
  await server.publish("ws/still", "here");
  await line.hear("a message after the error", (frame) => frame.data === "here");
  await line.close();
});

test("ws: a handshake that asks for nonsense is refused with the error in JSON", async () => {
  const position = await Line.refusal(`${server.ws}/t/ws/refused?since=nonsense`);
  assert.equal(position.status, 400);
  isError(position.body, "bad_position");
  const topic = await Line.refusal(`${server.ws}/t/ws//refused`);
  assert.equal(topic.status, 400);
  isError(topic.body, "bad_topic");
});

test("ws: a page of another origin gets no socket", async () => {
  for (const path of ["/t/ws/origin", "/ws"]) {
    const { status, body } = await Line.refusal(server.ws + path, [], { origin: "https://elsewhere.example" });
    assert.equal(status, 403);
    isError(body, "forbidden_origin");
  }
});

test("ws: the server pings, an answered ping keeps the socket, and a client's ping is answered", async () => {
  const line = await Line.open(`${server.ws}/t/ws/ping`);
  await until("three pings of the server", () => line.pings >= 3);
  const answered = new Promise((done) => line.socket.once("pong", (bytes) => done(bytes.toString())));
  line.socket.ping("are you there");
  assert.equal(await within("the pong", answered), "are you there");
  await server.publish("ws/ping", "still open");
  await line.hear("a message", (frame) => frame.data === "still open");
  await line.close();
});

// ---- tidings.v1

test("tidings.v1: the server greets, and each topic of a subscription has its own result", async () => {
  const line = await many();
  assert.equal(line.socket.protocol, "tidings.v1");
  const ready = await line.hear("ready", (frame) => frame.type === "ready");
  assert.equal(ready.protocol, "tidings.v1");
  assert.equal(ready.heartbeatMs, 1000);
  const topics = ["v1/room", "v1/deep/**", "bad//name"];
  const answer = await line.ask({ do: "subscribe", id: 1, sub: "chat", topics });
  assert.equal(answer.ok, true);
  assert.equal(answer.sub, "chat");
  assert.ok(answer.position);
  assert.deepEqual(answer.topics.map(({ topic, code }) => [topic, code]),
    [["v1/room", 200], ["v1/deep/**", 200], ["bad//name", 400]]);
  isError(answer.topics[2], "bad_topic");
  await server.publish("v1/deep/er", "below");
  const { event } = await line.hear("the message", (frame) => frame.sub === "chat" && frame.event);
  assert.equal(event.topic, "v1/deep/er");
  assert.equal(event.data, "below");
  await line.close();
});

test("tidings.v1: a subscription of bad topics alone is not ok, and its name stays free", async () => {
  const line = await many();
  const refused = await line.ask({ do: "subscribe", id: "a", sub: "s", topics: ["", "a/**/b"] });
  assert.equal(refused.ok, false);
  assert.deepEqual(refused.topics.map(({ code, error }) => [code, error]), [[400, "bad_topic"], [400, "bad_topic"]]);
  assert.equal((await line.ask({ do: "subscribe", id: "b", sub: "s", topics: ["v1/good"] })).ok, true);
  await line.close();
});

test("tidings.v1: publish carries type, headers and JSON, and answers with the position readers see", async () => {
  const line = await many();
  await line.ask({ do: "subscribe", id: 1, sub: "all", topics: ["v1/publish"], since: "now" });
  const answer = await line.ask({
    do: "publish", id: 2, topic: "v1/publish",
    type: "order", data: { dish: "soup" }, headers: { Trace: "t-1" }, key: "table-4",
  });
  assert.equal(answer.ok, true);
  assert.equal(answer.topic, "v1/publish");
  const { event } = await line.hear("the order", (frame) => frame.event);
  assert.equal(event.position, answer.position);
  assert.equal(event.type, "order");
  assert.equal(event.key, "table-4");
  assert.deepEqual(event.data, { dish: "soup" });
  assert.deepEqual(event.headers, { trace: "t-1" });
  assert.match(event.contentType, /^application\/json\b/);
  const bytes = await line.ask({ do: "publish", id: 3, topic: "v1/publish", data: "AP8=", encoding: "base64" });
  assert.equal(bytes.ok, true);
  await line.hear("the bytes", (frame) => frame.event?.encoding === "base64" && frame.event.data === "AP8=");
  const refused = await line.ask({ do: "publish", id: 4, topic: "v1/*", data: "to whom?" });
  assert.equal(refused.ok, false);
  assert.equal(refused.code, 400);
  isError(refused, "bad_topic");
  await line.close();
});

test("tidings.v1: a window holds back what is not acknowledged, and an ack opens it again", async () => {
  const line = await many();
  await line.ask({ do: "subscribe", id: 1, sub: "slow", topics: ["v1/window"], since: "now", window: 3 });
  await server.publishAll("v1/window", numbers(8));
  const got = () => eventsOf(line, "slow").map(({ data }) => Number(data));
  for (const [count, id] of [[3, 2], [6, 3], [8, 4]]) {
    await until(`${count} events`, () => got().length >= count);
    // Everything the window allows came before the answer to a ping sent after it.
    await line.ask({ do: "ping", id: `after-${count}` });
    assert.deepEqual(got(), numbers(count));
    const ack = await line.ask({ do: "ack", id, sub: "slow", position: eventsOf(line, "slow").at(-1).position });
    assert.equal(ack.ok, true);
  }
  await line.close();
});

test("tidings.v1: a position of another transport resumes a subscription, exactly once", async () => {
  await server.publishAll("v1/resume", numbers(4));
  const { events } = await server.poll("v1/resume");
  const line = await many();
  await line.ask({ do: "subscribe", id: 1, sub: "r", topics: ["v1/resume"], since: events[1].position });
  await server.publish("v1/resume", "5");
  await until("three events", () => eventsOf(line, "r").length >= 3);
  assert.deepEqual(eventsOf(line, "r").map(({ data }) => data), ["3", "4", "5"]);
  await line.close();
});

test("tidings.v1: after unsubscribe nothing more of it comes, and the name is free again", async () => {
  const line = await many();
  await line.ask({ do: "subscribe", id: 1, sub: "gone", topics: ["v1/unsubscribe"] });
  await line.ask({ do: "subscribe", id: 2, sub: "kept", topics: ["v1/unsubscribe"] });
  assert.equal((await line.ask({ do: "unsubscribe", id: 3, sub: "gone" })).ok, true);
  await server.publish("v1/unsubscribe", "after");
  await until("the kept one hears it", () => eventsOf(line, "kept").length === 1);
  assert.equal((await line.ask({ do: "ping", id: 4 })).ok, true);
  assert.deepEqual(eventsOf(line, "gone"), []);
  const again = await line.ask({ do: "unsubscribe", id: 5, sub: "gone" });
  assert.equal(again.ok, false);
  assert.ok(again.error && again.message && again.hint);
  assert.equal((await line.ask({ do: "subscribe", id: 6, sub: "gone", topics: ["v1/unsubscribe"] })).ok, true);
  await line.close();
});

test("tidings.v1: ping answers with the time, and what is no command is an error, not the end", async () => {
  const line = await many();
  const pong = await line.ask({ do: "ping", id: 1 });
  assert.match(pong.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  line.say("[1, 2]");
  const error = await line.hear("an error without id", (frame) => frame.error && frame.id === undefined);
  assert.ok(error.message && error.hint);
  const unknown = await line.ask({ do: "dance", id: 2 });
  assert.equal(unknown.ok, false);
  assert.ok(unknown.error && unknown.message && unknown.hint);
  await until("the server pings here too", () => line.pings >= 2);
  assert.equal((await line.ask({ do: "ping", id: 3 })).ok, true);
  await line.close();
});

test("tidings.v1: a client that offers no subprotocol gets it too", async () => {
  const line = await Line.open(`${server.ws}/ws`);
  await line.hear("ready", (frame) => frame.type === "ready" && frame.protocol === "tidings.v1");
  await line.close();
});

// ---- eventsource

test("eventsource: named events come by their names, each with its position as id", async () => {
  const heard = [];
  const source = new EventSource(`${server.url}/t/es/named`);
  const take = (event) => heard.push([event.type, event.lastEventId, JSON.parse(event.data)]);
  for (const type of ["ready", "order", "message", "heartbeat"]) source.addEventListener(type, take);
  await until("ready", () => heard.length > 0);
  await server.publish("es/named", "seven", { "tidings-type": "order" });
  await server.publish("es/named", "plain");
  await until("a heartbeat", () => heard.some(([type]) => type === "heartbeat"));
  source.close();
  assert.deepEqual(heard.slice(0, 4).map(([type, , event]) => [type, event.data]),
    [["ready", undefined], ["order", "seven"], ["message", "plain"], ["heartbeat", undefined]]);
  for (const [, id, event] of heard) assert.equal(id, event.position);
});

test("eventsource: its own reconnection sends Last-Event-ID and misses nothing when a stream ends", async () => {
  const [resumedFrom, seen] = [[], []];
  const recordingFetch = (url, init) => {
    resumedFrom.push(init.headers["Last-Event-ID"] ?? null);
    return fetch(url, init);
  };
  const source = new EventSource(`${server.url}/t/es/resume?limit=3`, { fetch: recordingFetch });
  const opened = new Promise((done) => source.addEventListener("open", done, { once: true }));
  source.onmessage = ({ data, lastEventId }) => seen.push({ data: JSON.parse(data).data, lastEventId });
  await within("the stream opens", opened);
  await server.publishAll("es/resume", numbers(8));
  await until("eight messages over three connections", () => seen.length >= 8, 30_000);
  source.close();
  assert.deepEqual(seen.map(({ data }) => Number(data)), numbers(8));
  assert.deepEqual(resumedFrom.slice(0, 3), [null, seen[2].lastEventId, seen[5].lastEventId]);
});

// ---- Last, because it ends the server

test("at shutdown all are told goodbye, sockets close with 1012, and the exit code is 0", async () => {
  const topic = await Line.open(`${server.ws}/t/bye`);
  const v1 = await many();
  const goodbyes = [];
  const source = new EventSource(`${server.url}/t/bye`);
  source.addEventListener("goodbye", (event) => goodbyes.push(JSON.parse(event.data)));
  await within("the stream opens", new Promise((done) => source.addEventListener("open", done, { once: true })));
  const code = await server.stop();
  assert.equal(await within("the topic's socket closes", topic.closed), 1012);
  assert.equal(await within("the socket of tidings.v1 closes", v1.closed), 1012);
  await until("the stream's goodbye", () => goodbyes.length > 0);
  source.close();
  const said = [goodbyes[0], ...[topic, v1].map((line) => line.said.find((frame) => frame.type === "goodbye"))];
  assert.ok(said.every((goodbye) => goodbye?.retryMs > 0), `when to come back: ${JSON.stringify(said)}`);
  assert.ok(goodbyes[0].position);
  assert.equal(code, 0);
});
