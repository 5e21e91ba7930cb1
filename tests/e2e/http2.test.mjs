// HTTP/2 by the clients that people have: curl, and node's own.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, constants } from "node:http2";
import { after, before, test } from "node:test";

import { assertRefused, curl, Stream } from "./curl.mjs";
import { startServer } from "./server.mjs";
import { numbers, until, within } from "./until.mjs";

const PRIOR = "--http2-prior-knowledge";
const STREAMS = 100;

let server;

before(async () => {
  server = await startServer();
});

after(() => server?.stop());

const at = (path) => `${server.url}${path}`;

/** One request over node's client: `text` is what came of its answer so far. */
function ask(session, path, headers = {}) {
  const asked = { stream: session.request({ ":path": path, ...headers }), text: "" };
  asked.stream.setEncoding("utf8").on("data", (piece) => (asked.text += piece));
  asked.head = once(asked.stream, "response").then(([head]) => head);
  asked.ended = once(asked.stream, "close");
  return asked;
}

const events = ({ text }) => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data));

const streams = async () => (await (await fetch(at("/healthz"))).json()).streams;

test("curl publishes, polls, waits and listens over HTTP/2", async () => {
  const published = await curl([PRIOR, "-d", "hello", at("/t/curl")]);
  assert.equal(published.status, 201);
  const polled = await curl([PRIOR, "-w", "%{http_version}", at("/t/curl")]);
  assert.match(polled.body, /"data":"hello"[^]*\n?2$/);
  assertRefused(await curl([PRIOR, at("/t/curl?since=nonsense")]), 400, "bad_position");
  const held = curl([PRIOR, at("/t/curl?wait=20")]);
  const listening = ["text/event-stream", "application/x-ndjson"].map(
    (type) => new Stream([PRIOR, "-H", `Accept: ${type}`, at("/t/curl")]),
  );
  for (const stream of listening) await stream.shows("it listens", (text) => text.includes("ready"));
  await until("the poll is held", async () => (await streams()) === 3);
  await server.publish("curl", "news");
  assert.deepEqual((await held).json().events.map(({ data }) => data), ["news"]);
  for (const stream of listening) {
    await stream.shows("the news", (text) => text.includes('"data":"news"'));
    await stream.stop();
  }
  await until("whoever left is forgotten", async () => (await streams()) === 0);
});

test("a hundred EventSource-like readers share one connection of node's client", async () => {
  const session = connect(server.url);
  const accept = { accept: "text/event-stream" };
  const readers = numbers(STREAMS).map((number) => ask(session, `/t?topic=all&topic=one/${number}`, accept));
  for (const reader of readers) await until("it listens", () => reader.text.includes("ready"));
  await server.publish("all", "x");
  for (const number of numbers(STREAMS)) await server.publish(`one/${number}`, String(number));
  for (const [index, reader] of readers.entries()) {
    const seen = () => events(reader).filter(({ data }) => data).map(({ data }) => data);
    await until("both events", () => seen().length === 2);
    assert.deepEqual(seen(), ["x", String(index + 1)]);
  }
  readers[0].stream.close(constants.NGHTTP2_CANCEL);
  await until("one less", async () => (await streams()) === STREAMS - 1);
  session.destroy();
  await until("none", async () => (await streams()) === 0);
});

test("a stream that is paused loses nothing, and another goes on", async () => {
  const session = connect(server.url);
  const paused = ask(session, "/t/paused?via=ndjson");
  const other = ask(session, "/t/paused?via=ndjson");
  for (const reader of [paused, other]) await until("it listens", () => reader.text.includes("ready"));
  paused.stream.pause();
  const filler = "x".repeat(20_000);
  for (const number of numbers(50)) await server.publish("paused", `${number} ${filler}`);
  const seen = ({ text }) => [...text.matchAll(/"data":"(\d+) /g)].map(([, number]) => Number(number));
  await until("the other has all", () => seen(other).length === 50);
  assert.ok(seen(paused).length < 50, "it was sent everything");
  paused.stream.resume();
  await until("it has all, too", () => seen(paused).length === 50);
  assert.deepEqual(seen(paused), numbers(50));
  session.destroy();
});

test("shutdown says GOAWAY, ends streams with a goodbye and answers what is held", async () => {
  const own = await startServer();
  const session = connect(own.url);
  const goaway = once(session, "goaway");
  const stream = ask(session, "/t/a?via=sse");
  const held = ask(session, "/t/a?wait=30");
  await until("it listens", () => stream.text.includes("ready"));
  await until("both are under way", async () => (await (await fetch(`${own.url}/healthz`)).json()).streams === 2);
  const stopped = own.stop();
  const [code] = await within("GOAWAY", goaway);
  assert.equal(code, constants.NGHTTP2_NO_ERROR);
  await within("the stream ends", stream.ended);
  assert.equal(stream.stream.rstCode, constants.NGHTTP2_NO_ERROR);
  assert.equal(events(stream).at(-1).type, "goodbye");
  await within("the poll ends", held.ended);
  assert.equal((await held.head)[":status"], 200);
  assert.deepEqual(JSON.parse(held.text).events, []);
  assert.equal(await stopped, 0);
});
