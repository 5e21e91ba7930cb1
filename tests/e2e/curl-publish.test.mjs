// Publishing with curl: any body, batches, retries, and every refusal in words.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { assertAllows, assertRefused, curl } from "./curl.mjs";
import { startServer } from "./server.mjs";
import { until } from "./until.mjs";

let server;

before(async () => {
  server = await startServer();
});

after(() => server?.stop());

const at = (path) => `${server.url}${path}`;
const stored = async (topic) => (await server.poll(topic, "limit=1000")).events;

test("curl -d publishes, and the text comes back as it was sent", async () => {
  const answer = await curl(["-d", "hello", at("/t/pub/text")]);
  assert.equal(answer.status, 201);
  const { topic, position } = answer.json();
  assert.equal(topic, "pub/text");
  const [event] = await stored("pub/text");
  assert.equal(event.data, "hello");
  assert.equal(event.encoding, undefined);
  assert.equal(event.position, position);
  assert.equal(event.type, "message");
  assert.match(event.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

test("a body without a content type is text when it is UTF-8, bytes otherwise", async () => {
  const bare = ["-H", "Content-Type:", "--data-binary", "@-", at("/t/pub/any")];
  assert.equal((await curl(bare, "grüße\n")).status, 201);
  assert.equal((await curl(bare, Buffer.from([0xff, 0x00, 0xfe]))).status, 201);
  assert.equal((await curl(bare, "")).status, 201);
  const [text, bytes, empty] = await stored("pub/any");
  assert.equal(text.data, "grüße\n");
  assert.equal(text.contentType, "text/plain; charset=utf-8");
  assert.equal(bytes.data, "/wD+");
  assert.equal(bytes.encoding, "base64");
  assert.equal(bytes.contentType, "application/octet-stream");
  assert.equal(empty.data, "");
});

test("JSON comes back as JSON, and what only says it is JSON is refused", async () => {
  const type = "Content-Type: application/json";
  assert.equal((await curl(["-H", type, "-d", '{"a":[1,null]}', at("/t/pub/json")])).status, 201);
  assertRefused(await curl(["-H", type, "-d", '{"a":', at("/t/pub/json")]), 400, "bad_json");
  const events = await stored("pub/json");
  assert.equal(events.length, 1);
  assert.deepEqual(events[0].data, { a: [1, null] });
  assert.equal(events[0].contentType, "application/json");
});

test("an NDJSON body is a batch: every line a message, or none", async () => {
  const ndjson = ["-H", "Content-Type: application/x-ndjson", "--data-binary", "@-"];
  const send = (body) => curl([...ndjson, at("/t/pub/batch")], body);
  const answer = await send('{"n":1}\n\n{"n":2}\n[3]\n');
  assert.equal(answer.status, 201);
  const { count, position } = answer.json();
  assert.equal(count, 3);
  const events = await stored("pub/batch");
  assert.deepEqual(events.map(({ data }) => data), [{ n: 1 }, { n: 2 }, [3]]);
  assert.ok(events.every(({ contentType }) => contentType === "application/json"));
  assert.equal(events[2].position, position);
  assertRefused(await send('{"n":4}\nnot json\n'), 400, "bad_json");
  assert.equal((await stored("pub/batch")).length, 3);
});

test("with batch=lines each line of a text is a message", async () => {
  const lines = ["-H", "Content-Type: text/plain", "--data-binary", "@-"];
  const byHeader = await curl([...lines, "-H", "Tidings-Batch: lines", at("/t/pub/lines")], "one\ntwo\n\n");
  const byQuery = await curl([...lines, at("/t/pub/lines?batch=lines")], "three");
  assert.deepEqual([byHeader.json().count, byQuery.json().count], [2, 1]);
  assert.deepEqual((await stored("pub/lines")).map(({ data }) => data), ["one", "two", "three"]);
});

test("type, key and sender-set headers are carried to the reader, from headers or from the query", async () => {
  await curl(["-H", "Tidings-Type: order", "-H", "Tidings-Key: table 4", "-H", "Tidings-Header-Trace: abc",
    "-H", "Tidings-Header-X-Y: 1, 2", "-d", "soup", at("/t/pub/dressed")]);
  await curl(["-d", "bread", at("/t/pub/dressed?type=order&key=table+5")]);
  const [soup, bread] = await stored("pub/dressed");
  assert.deepEqual([soup.type, soup.key, soup.headers], ["order", "table 4", { trace: "abc", "x-y": "1, 2" }]);
  assert.deepEqual([bread.type, bread.key, bread.headers], ["order", "table 5", undefined]);
});

test("the same idempotency key twice stores one message, and another message under it is refused", async () => {
  const send = (body) => curl(["-H", "Idempotency-Key: k-1", "-d", body, at("/t/pub/once")]);
  const [first, again] = [await send("pay 5"), await send("pay 5")];
  assert.deepEqual([first.status, again.status], [201, 201]);
  assert.equal(again.json().position, first.json().position);
  assertRefused(await send("pay 6"), 422, "idempotency_key_reused");
  assert.deepEqual((await stored("pub/once")).map(({ data }) => data), ["pay 5"]);
});

test("a message with a time to live is there at first, and gone after it", async () => {
  await curl(["-H", "Tidings-TTL: 1", "-d", "short", at("/t/pub/ttl")]);
  await curl(["-d", "long", at("/t/pub/ttl?ttl=2h")]);
  const data = async () => (await stored("pub/ttl")).map((event) => event.data);
  assert.deepEqual(await data(), ["short", "long"]);
  await until("the short one is gone", async () => (await data()).length === 1);
  assert.deepEqual(await data(), ["long"]);
});

test("topics may hold any character a URL can carry, and read back as they were", async () => {
  const answer = await curl(["-d", "x", at("/t/st%C3%A4dte/k%C3%B6ln%20s%C3%BCd%3F")]);
  assert.equal(answer.json().topic, "städte/köln süd?");
  assert.equal((await stored(encodeURIComponent("städte") + "/*"))[0].topic, "städte/köln süd?");
});

test("400: a bad topic, a reserved type, a bad span, an unknown batch form", async () => {
  for (const path of ["/t/a//b", "/t/a/", "/t/a/*", "/t/%00", "/t/%ff", `/t/${"x".repeat(513)}`]) {
    assertRefused(await curl(["--path-as-is", "-d", "x", at(path)]), 400, "bad_topic");
  }
  assertRefused(await curl(["-H", "Tidings-Type: heartbeat", "-d", "x", at("/t/pub/bad")]), 400, "bad_type");
  const span = await curl(["-H", "Tidings-TTL: soon", "-d", "x", at("/t/pub/bad")]);
  assertRefused(span, 400, "bad_header");
  assertRefused(await curl(["-H", "Tidings-Batch: pages", "-d", "x", at("/t/pub/bad")]), 400, "bad_batch");
  assert.deepEqual(await stored("pub/bad"), []);
});

test("403: topics that begin with $ are the server's own", async () => {
  assertRefused(await curl(["-d", "x", at("/t/$server/load")]), 403, "forbidden");
});

test("403: a page of another origin may neither publish nor read, one of the server's own may", async () => {
  const from = (origin) => ["-H", `Origin: ${origin}`];
  const sent = await curl([...from("https://elsewhere.example"), "-d", "x", at("/t/pub/origin")]);
  assertRefused(sent, 403, "forbidden_origin");
  assertRefused(await curl([...from("null"), at("/t/pub/origin")]), 403, "forbidden_origin");
  assert.deepEqual(await stored("pub/origin"), []);
  assert.equal((await curl([...from(server.url), "-d", "x", at("/t/pub/origin")])).status, 201);
});

test("404: an address that is nothing", async () => {
  assertRefused(await curl([at("/nothing/here")]), 404, "not_found");
  assertRefused(await curl(["-d", "x", at("/nothing")]), 404, "not_found");
});

test("405: a method that a topic does not know, with the ones it does", async () => {
  const answer = await curl(["-X", "DELETE", at("/t/pub/text")]);
  assertRefused(answer, 405, "method_not_allowed");
  assertAllows(answer);
});

test("413: a message over the limit is refused, and the server goes on", async () => {
  const big = Buffer.alloc(33 << 20, "x");
  const declared = await curl(["--data-binary", "@-", at("/t/pub/big")], big);
  assertRefused(declared, 413, "too_large");
  const chunked = await curl(["-H", "Transfer-Encoding: chunked", "--data-binary", "@-", at("/t/pub/big")], big);
  assertRefused(chunked, 413, "too_large");
  assert.deepEqual(await stored("pub/big"), []);
  assert.equal((await curl(["-d", "small", at("/t/pub/big")])).status, 201);
});
