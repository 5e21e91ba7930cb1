// What a browser offers by itself, used as anybody would without the server's page: EventSource,
// fetch, WebSocket. Every function passed to `evaluate` runs in the browser.

import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, test } from "node:test";

import { plainPage, launch } from "./browser.mjs";
import { startServer } from "./server.mjs";
import { numbers, until, within } from "./until.mjs";

const COUNT = 200;

let server;
let browser;
let page;

before(async () => {
  server = await startServer({ TIDINGS_TIMES_HEARTBEAT: "1s" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

beforeEach(async () => {
  page = await plainPage(browser, server.url);
  await page.evaluate(() => {
    window.seen = { sse: [], ndjson: [], ws: [], longpoll: [] };
    window.opened = new Set();
  });
});

afterEach(() => page.close());

const arrived = (via, count) =>
  until(`${count} messages over ${via}`, () => page.evaluate(([v, n]) => window.seen[v].length >= n, [via, count]));

const isOpen = (via) => until(`${via} is open`, () => page.evaluate((v) => window.opened.has(v), via));

function readByEventSource(topic) {
  const source = new EventSource(`/t/${topic}`);
  source.onopen = () => window.opened.add("sse");
  source.onmessage = (event) => window.seen.sse.push(Number(JSON.parse(event.data).data));
}

async function readByFetch(topic) {
  const response = await fetch(`/t/${topic}`, { headers: { Accept: "application/x-ndjson" } });
  window.opened.add("ndjson");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.map((text) => JSON.parse(text))) {
      if (line.topic !== undefined) window.seen.ndjson.push(Number(line.data));
    }
  }
}

function readByWebSocket(topic) {
  const socket = new WebSocket(`ws://${location.host}/t/${topic}`);
  socket.onopen = () => window.opened.add("ws");
  socket.onmessage = (event) => {
    const { topic: of, data } = JSON.parse(event.data);
    if (of !== undefined) window.seen.ws.push(Number(data));
  };
}

async function readByLongPoll(topic) {
  let { position } = await (await fetch(`/t/${topic}?via=poll`)).json();
  for (window.opened.add("longpoll"); ; ) {
    const answer = await (await fetch(`/t/${topic}?wait=20&since=${position}`)).json();
    position = answer.position;
    for (const event of answer.events) window.seen.longpoll.push(Number(event.data));
  }
}

const READERS = { sse: readByEventSource, ndjson: readByFetch, ws: readByWebSocket, longpoll: readByLongPoll };

test(`EventSource, a fetch stream, a WebSocket and long polls each get ${COUNT} in order, exactly once`, async () => {
  for (const [via, read] of Object.entries(READERS)) {
    // Not awaited in the browser: a reader that streams never ends.
    await page.evaluate(`void (${read})("raw/all")`);
    await isOpen(via);
  }
  await server.publishAll("raw/all", numbers(COUNT));
  for (const via of Object.keys(READERS)) await arrived(via, COUNT);
  for (const [via, seen] of Object.entries(await page.evaluate(() => window.seen))) {
    assert.deepEqual(seen, numbers(COUNT), `over ${via}`);
  }
});

test("an EventSource sees ready first, heartbeats while it is quiet, and types of one's own", async () => {
  await page.evaluate(() => {
    window.heard = [];
    const source = new EventSource("/t/raw/named");
    for (const type of ["ready", "heartbeat", "order", "message"]) {
      source.addEventListener(type, (event) => {
        window.heard.push({ type, id: event.lastEventId, event: JSON.parse(event.data) });
      });
    }
  });
  const heard = () => page.evaluate(() => window.heard);
  await until("ready and two heartbeats", async () =>
    (await heard()).filter(({ type }) => type === "heartbeat").length >= 2);
  await server.publish("raw/named", "seven", { "tidings-type": "order" });
  const order = await until("the order", async () => (await heard()).find(({ type }) => type === "order"));
  assert.equal(order.event.data, "seven");
  assert.equal(order.id, order.event.position, "the SSE id is the event's position");
  const [first, beat] = await heard();
  assert.equal(first.type, "ready");
  assert.equal(first.event.type, "ready");
  assert.equal(first.id, first.event.position);
  assert.equal(beat.type, "heartbeat");
  assert.match(beat.event.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});

// Each stage reads on from the position the one before it stopped at.
async function readInThreeWays({ topic, first, second, last }) {
  const seen = [];
  let position;
  const take = (event) => {
    position = event.position ?? position;
    if (event.topic !== undefined) seen.push(Number(event.data));
  };
  await new Promise((done) => {
    const source = new EventSource(`/t/${topic}`);
    source.onopen = () => window.opened.add("switching");
    source.onmessage = (event) => {
      if (source.readyState === EventSource.CLOSED) return;
      take(JSON.parse(event.data));
      if (seen.length >= first) done(source.close());
    };
  });
  const bySse = seen.length;
  while (seen.length < second) {
    const answer = await (await fetch(`/t/${topic}?wait=20&limit=7&since=${position}`)).json();
    answer.events.forEach(take);
    position = answer.position;
  }
  const byLongPoll = seen.length - bySse;
  await new Promise((done) => {
    const socket = new WebSocket(`ws://${location.host}/t/${topic}?since=${position}`);
    socket.onmessage = (event) => {
      take(JSON.parse(event.data));
      if (seen.length >= last) done(socket.close());
    };
  });
  return { seen, bySse, byLongPoll };
}

test("switching from SSE to long poll to WebSocket in mid-stream loses and doubles nothing", async () => {
  const plan = { topic: "raw/switch", first: 50, second: 120, last: COUNT };
  const reading = page.evaluate(readInThreeWays, plan);
  await isOpen("switching");
  await server.publishAll(plan.topic, numbers(COUNT));
  const { seen, bySse, byLongPoll } = await within("all three ways are done", reading, 30_000);
  assert.deepEqual(seen, numbers(COUNT));
  assert.ok(bySse >= 50 && byLongPoll >= 70, `${bySse} by SSE, ${byLongPoll} by long poll`);
});

test("a page may read the position and tags of an answer, and a poll without news is a 304", async () => {
  await server.publish("raw/tags", "one");
  const answer = await page.evaluate(async () => {
    const first = await fetch("/t/raw/tags", { cache: "no-store" });
    const headers = { "If-None-Match": first.headers.get("ETag") };
    const second = await fetch("/t/raw/tags", { cache: "no-store", headers });
    return { position: first.headers.get("Tidings-Position"), body: await first.json(), status: second.status };
  });
  assert.equal(answer.position, answer.body.position);
  assert.equal(answer.status, 304);
});
