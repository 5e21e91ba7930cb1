// Reading with curl, in every way a topic can be asked for.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { assertAllows, assertRefused, curl, Stream } from "./curl.mjs";
import { startServer } from "./server.mjs";
import { numbers, within } from "./until.mjs";

let server;

before(async () => {
  server = await startServer({ TIDINGS_TIMES_HEARTBEAT: "1s" });
});

after(() => server?.stop());

const at = (path) => `${server.url}${path}`;
const SSE = ["-H", "Accept: text/event-stream"];
const NDJSON = ["-H", "Accept: application/x-ndjson"];
const dataOf = (answer) => answer.json().events.map(({ data }) => data);

/** Publishes text, JSON and bytes: one of each form that `data` can take. */
async function publishEachForm(topic) {
  await server.publish(topic, "two\nlines", { "content-type": "text/plain" });
  await server.publish(topic, '{"a": 1}', { "content-type": "application/json" });
  await server.publish(topic, new Uint8Array([0xff, 0]), { "content-type": "application/octet-stream" });
}

test("a poll gives the newest events, a position and a tag; nothing new is a 304, news is a 200", async () => {
  await server.publishAll("read/poll", numbers(3));
  const first = await curl([at("/t/read/poll")]);
  assert.equal(first.status, 200);
  assert.match(first.headers["content-type"], /^application\/json\b/);
  assert.deepEqual(dataOf(first), ["1", "2", "3"]);
  assert.equal(first.headers["tidings-position"], first.json().position);
  const tagged = ["-H", `If-None-Match: ${first.headers.etag}`, at("/t/read/poll")];
  const same = await curl(tagged);
  assert.deepEqual([same.status, same.body], [304, ""]);
  assert.equal(same.headers.etag, first.headers.etag);
  await server.publish("read/other", "elsewhere");
  await server.publish("read/poll", "4");
  const news = await curl(tagged);
  assert.deepEqual([news.status, dataOf(news)], [200, ["1", "2", "3", "4"]]);
  assert.notEqual(news.headers.etag, first.headers.etag);
});

test("since, last and limit say where a poll begins and ends", async () => {
  await server.publishAll("read/range", numbers(6));
  const ask = async (query) => dataOf(await curl([at(`/t/read/range?${query}`)]));
  const { events } = await server.poll("read/range");
  assert.deepEqual(await ask("since=start&limit=2"), ["1", "2"]);
  assert.deepEqual(await ask(`since=${events[3].position}`), ["5", "6"]);
  assert.deepEqual(await ask("last=2"), ["5", "6"]);
  assert.deepEqual(await ask("limit=1"), ["6"]);
  assert.deepEqual(await ask("since=now"), []);
  const byHeader = await curl(["-H", `Last-Event-ID: ${events[4].position}`, at("/t/read/range")]);
  assert.deepEqual(dataOf(byHeader), ["6"]);
});

test("pages of a backlog, each from the position of the one before, give everything once", async () => {
  await server.publishAll("read/pages", numbers(25));
  const seen = [];
  for (let since = "start"; ; ) {
    const page = (await curl([at(`/t/read/pages?limit=10&since=${since}`)])).json();
    if (page.events.length === 0) break;
    seen.push(...page.events.map(({ data }) => Number(data)));
    since = page.position;
  }
  assert.deepEqual(seen, numbers(25));
});

test("a long poll without news answers empty at its time", async () => {
  const begin = performance.now();
  const answer = await curl([at("/t/read/quiet?wait=1")]);
  const took = performance.now() - begin;
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json().events, []);
  assert.ok(answer.json().position);
  assert.ok(took >= 900 && took < 5_000, `took ${took} ms`);
});

test("a held long poll answers as soon as there is news, and nothing falls between two of them", async () => {
  let { position } = await server.poll("read/held");
  for (const text of ["first", "second"]) {
    const held = curl([at(`/t/read/held?wait=15&since=${position}`)]);
    await server.publish("read/held", text);
    const answer = await within("the held answer", held, 5_000);
    assert.deepEqual(dataOf(answer), [text]);
    position = answer.json().position;
  }
});

test("one answer over several topics and filters has each message once and one position", async () => {
  await server.publish("many/a", "1");
  await server.publish("many/b/c", "2");
  await server.publish("others", "3");
  const answer = await curl([at("/t?topic=many/a&topic=many/**&topic=missing&since=start")]);
  assert.deepEqual(answer.json().events.map(({ topic, data }) => [topic, data]), [["many/a", "1"], ["many/b/c", "2"]]);
  await server.publish("many/a", "4");
  assert.deepEqual(dataOf(await curl([at(`/t?topic=many/**&since=${answer.json().position}`)])), ["4"]);
});

test("curl -N reads Server-Sent Events: ready, events with their position as id, heartbeats", async () => {
  const stream = new Stream([...SSE, at("/t/read/sse")]);
  await stream.shows("ready", () => stream.events.some(({ event }) => event === "ready"));
  await server.publish("read/sse", "hello", { "tidings-type": "greeting" });
  await stream.shows("a heartbeat", () => stream.events.some(({ event }) => event === "heartbeat"));
  const greeting = stream.events.find(({ event }) => event === "greeting");
  const event = JSON.parse(greeting.data);
  assert.deepEqual([greeting.id, event.data, event.type], [event.position, "hello", "greeting"]);
  await stream.stop();
});

test("curl -N reads NDJSON: one event a line, from the newest it asks for, and heartbeats", async () => {
  await server.publishAll("read/ndjson", numbers(3));
  const stream = new Stream([...NDJSON, at("/t/read/ndjson?last=2")]);
  await stream.shows("the backlog", () => stream.lines.length >= 3);
  await server.publish("read/ndjson", "4");
  await stream.shows("a heartbeat", () => stream.lines.some(({ type }) => type === "heartbeat"));
  assert.equal(stream.lines[0].type, "ready");
  assert.deepEqual(stream.lines.filter(({ topic }) => topic).map(({ data }) => data), ["2", "3", "4"]);
  await stream.stop();
});

test("a stream with a limit ends after so many events", async () => {
  await server.publishAll("read/limit", numbers(5));
  const stream = new Stream([...NDJSON, at("/t/read/limit?since=start&limit=3")]);
  await within("the stream ends", stream.ended);
  assert.deepEqual(stream.lines.filter(({ topic }) => topic).map(({ data }) => data), ["1", "2", "3"]);
});

test("data=raw gives payloads alone: an array, JSON lines, or SSE data", async () => {
  await publishEachForm("read/raw");
  const polled = await curl([at("/t/read/raw?data=raw")]);
  assert.deepEqual(polled.json(), ["two\nlines", { a: 1 }, "/wA="]);
  assert.ok(polled.headers["tidings-position"]);
  const held = await curl([at("/t/read/raw?data=raw&wait=5&since=start")]);
  assert.deepEqual(held.json(), ["two\nlines", { a: 1 }, "/wA="]);

  const lines = new Stream([...NDJSON, at("/t/read/raw?data=raw&since=start")]);
  await lines.shows("three payloads and an empty line as heartbeat", (text) => /\n\n/.test(text));
  assert.deepEqual(lines.lines, ["two\nlines", { a: 1 }, "/wA="]);
  await lines.stop();

  const events = new Stream([...SSE, at("/t/read/raw?data=raw&since=start")]);
  const messages = () => events.events.filter(({ event }) => event === "message");
  await events.shows("three payloads", () => messages().length >= 3);
  const [text, json, bytes] = messages().map(({ data }) => data);
  assert.deepEqual([text, JSON.parse(json), bytes], ["two\nlines", { a: 1 }, "/wA="]);
  await events.stop();
});

test("via forces a transport whatever the headers say, and an unknown one is refused", async () => {
  await server.publish("read/via", "x");
  const poll = await curl([...SSE, at("/t/read/via?via=poll")]);
  assert.deepEqual(dataOf(poll), ["x"]);
  const longpoll = await curl([...NDJSON, at("/t/read/via?via=longpoll&since=start")]);
  assert.deepEqual(dataOf(longpoll), ["x"]);
  const sse = await curl([at("/t/read/via?via=sse&since=start&limit=1")]);
  assert.match(sse.headers["content-type"], /^text\/event-stream\b/);
  assert.match(sse.body, /^event: ?message$/m);
  const ndjson = await curl([...SSE, at("/t/read/via?via=ndjson&since=start&limit=1")]);
  assert.match(ndjson.headers["content-type"], /^application\/x-ndjson\b/);
  assertRefused(await curl([at("/t/read/via?via=pigeon")]), 400, "unknown_via");
});

test("slow=latest skips what a newer message of the same key replaces", async () => {
  for (const [key, body] of [["a", "1"], ["b", "2"], ["a", "3"]]) {
    await server.publish("read/slow", body, { "tidings-key": key });
  }
  assert.deepEqual(dataOf(await curl([at("/t/read/slow?since=start&slow=latest")])), ["2", "3"]);
  assert.deepEqual(dataOf(await curl([at("/t/read/slow?since=start&slow=gap")])), ["1", "2", "3"]);
});

test("HEAD answers with the headers of the GET and no body", async () => {
  await server.publish("read/head", "x");
  const [head, get] = [await curl(["--head", at("/t/read/head")]), await curl([at("/t/read/head")])];
  assert.deepEqual([head.status, head.body], [200, ""]);
  for (const name of ["content-type", "etag", "tidings-position"]) {
    assert.equal(head.headers[name], get.headers[name], name);
  }
});

test("OPTIONS says what a topic allows", async () => {
  const answer = await curl(["-X", "OPTIONS", at("/t/read/options")]);
  assert.ok([200, 204].includes(answer.status), `status ${answer.status}`);
  assertAllows(answer);
});

test("a long answer is compressed for who can take it, and says that it depends on that", async () => {
  await server.publishAll("read/gzip", numbers(100).map((n) => `a message that repeats itself ${n}`));
  const plain = await curl([at("/t/read/gzip")]);
  const packed = await curl(["-H", "Accept-Encoding: gzip", "--compressed", at("/t/read/gzip")]);
  assert.equal(packed.headers["content-encoding"], "gzip");
  assert.equal(plain.headers["content-encoding"], undefined);
  assert.equal(packed.body, plain.body);
  assert.match(plain.headers.vary ?? "", /accept-encoding/i);
  assert.match(packed.headers.vary ?? "", /accept-encoding/i);
});

test("what a reader may get wrong is refused in words", async () => {
  assertRefused(await curl([at("/t/a//b")]), 400, "bad_topic");
  assertRefused(await curl([at("/t/a/**/b")]), 400, "bad_topic");
  assertRefused(await curl([at("/t/a?since=yesterday")]), 400, "bad_position");
  assertRefused(await curl([...SSE, at("/t/a?since=yesterday")]), 400, "bad_position");
  assertRefused(await curl([at("/t/a?limit=many")]), 400, "bad_query");
  assertRefused(await curl([at("/t/a?wait=long")]), 400, "bad_query");
  const topics = numbers(257).map((n) => `topic=t${n}`).join("&");
  assertRefused(await curl([at(`/t?${topics}`)]), 400, "too_many_topics");
});

test("the server stops in good order while streams are open, and says goodbye on each", async () => {
  const streams = [new Stream([...SSE, at("/t/read/bye")]), new Stream([...NDJSON, at("/t/read/bye")])];
  for (const stream of streams) await stream.shows("ready", (text) => text.includes("ready"));
  // This one may come too late to be answered at all; it must not hold up the end.
  const held = curl([at("/t/read/bye?wait=15")]).catch(() => undefined);
  assert.equal(await server.stop(), 0);
  for (const stream of streams) await within("the stream ends", stream.ended);
  assert.equal(streams[0].events.at(-1).event, "goodbye");
  assert.ok(JSON.parse(streams[0].events.at(-1).data).retryMs > 0);
  assert.equal(streams[1].lines.at(-1).type, "goodbye");
  const answer = await within("the held poll ends", held);
  assert.ok(answer === undefined || [200, 503].includes(answer.status), `status ${answer?.status}`);
});
