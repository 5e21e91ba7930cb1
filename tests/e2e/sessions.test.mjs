// Durable sessions by clients that others wrote: a browser's EventSource, which comes back by itself
// for as long as nobody stops it, the npm client of the same name, and `ws`.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { EventSource } from "eventsource";

import { launch, plainPage } from "./browser.mjs";
import { Line } from "./line.mjs";
import { startServer } from "./server.mjs";
import { numbers, until, within } from "./until.mjs";

// Far longer than an EventSource waits that nobody told to stay away: a second.
const HEARTBEATS = 4;

let server;
let browser;

before(async () => {
  server = await startServer({ TIDINGS_TIMES_HEARTBEAT: "1s" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Runs in the browser: an EventSource that writes down all it hears. */
function listen(target) {
  window.heard = [];
  window.opened = 0;
  window.source = new EventSource(target);
  window.source.onopen = () => (window.opened += 1);
  for (const type of ["ready", "message", "heartbeat", "goodbye", "gap"]) {
    window.source.addEventListener(type, (event) => window.heard.push(JSON.parse(event.data)));
  }
}

const heard = (page, type) => page.evaluate((t) => window.heard.filter((event) => event.type === t), type);

const hears = (page, what, type, count) =>
  until(what, async () => {
    const events = await heard(page, type);
    return events.length >= count && events;
  }, 20_000);

async function pageOn(target, of = server) {
  const page = await plainPage(browser, of.url);
  await page.evaluate(listen, target);
  await hears(page, "the page is ready", "ready", 1);
  return page;
}

const session = async (name, of = server) => (await fetch(`${of.url}/s/${name}`)).json();

test("of two pages the second has the session, and the first does not take it back by itself", async () => {
  const [first, second] = [await pageOn("/t/pages?session=pages"), await pageOn("/t/pages?session=pages")];
  const [goodbye] = await hears(first, "the first is told", "goodbye", 1);
  assert.equal(goodbye.reason, "session_taken_over");
  assert.ok(goodbye.position && goodbye.retryMs === undefined);
  await server.publishAll("pages", numbers(3));
  await hears(second, "the second goes on", "message", 3);
  await hears(second, "time enough to come back", "heartbeat", HEARTBEATS);
  assert.deepEqual(await heard(second, "goodbye"), []);
  assert.deepEqual(await heard(first, "message"), []);
  assert.equal(await first.evaluate(() => window.opened), 1);
  // It came back once, was told to stay away, and has given up. Whoever uses that page can have the
  // session again.
  assert.equal(await first.evaluate(() => window.source.readyState === EventSource.CLOSED), true);
  await first.evaluate(listen, "/t/pages?session=pages");
  await hears(second, "now the second is told", "goodbye", 1);
  await server.publish("pages", "4");
  const [{ data }] = await hears(first, "the first goes on", "message", 1);
  assert.equal(data, "4");
  await Promise.all([first.close(), second.close()]);
});

test("a browser that comes back by itself misses nothing and gets nothing twice, also over a restart", async () => {
  const folder = await mkdtemp(join(tmpdir(), "tidings-e2e-"));
  const settings = { TIDINGS_DATA: folder };
  let durable = await startServer(settings);
  const page = await pageOn("/t/back?session=back&limit=4", durable);
  try {
    await durable.publishAll("back", numbers(10));
    await hears(page, "ten over three connections", "message", 10);
    await durable.stop();
    durable = await startServer(settings, new URL(durable.url).host);
    await durable.publishAll("back", [11, 12]);
    const events = await hears(page, "two more after the restart", "message", 12);
    assert.deepEqual(events.map(({ data }) => Number(data)), numbers(12));
    assert.deepEqual(events.filter(({ attempt }) => attempt !== undefined), []);
    assert.deepEqual(await heard(page, "gap"), []);
    assert.deepEqual((await session("back", durable)).topics, ["back"]);
  } finally {
    await page.close();
    await durable.stop();
    await rm(folder, { recursive: true });
  }
});

test("a page that was closed before it acknowledged gets the rest again, and is told so", async () => {
  const page = await pageOn("/t/acks?session=acks&ack=explicit");
  await server.publishAll("acks", numbers(4));
  const events = await hears(page, "all four", "message", 4);
  const answer = await page.evaluate(async (position) => {
    const response = await fetch("/s/acks/ack", { method: "POST", body: JSON.stringify({ position }) });
    return { status: response.status, ...(await response.json()) };
  }, events[1].position);
  assert.deepEqual(answer, { status: 200, session: "acks", position: events[1].position });
  await page.close();
  // It comes back with a Last-Event-ID behind all four, and without topics.
  const again = await pageOn("/t?session=acks");
  const rest = await hears(again, "the two that were not", "message", 2);
  assert.deepEqual(rest.map(({ data, attempt }) => [data, attempt]), [["3", 2], ["4", 2]]);
  await again.close();
});

test("deleting a session ends its page", async () => {
  const page = await pageOn("/t/gone?session=gone");
  const status = await page.evaluate(async () => (await fetch("/s/gone", { method: "DELETE" })).status);
  assert.equal(status, 204);
  const [goodbye] = await hears(page, "the page is told", "goodbye", 1);
  assert.equal(goodbye.reason, "session_deleted");
  assert.equal((await session("gone")).error, "session_unknown");
  await page.close();
});

test("eventsource: it stays away, too, and hands over to a WebSocket what it had not taken", async () => {
  const [said, requests] = [[], []];
  const recordingFetch = (url, init) => {
    requests.push(init.headers["Last-Event-ID"] ?? null);
    return fetch(url, init);
  };
  const source = new EventSource(`${server.url}/t/npm?session=npm`, { fetch: recordingFetch });
  const opened = new Promise((done) => source.addEventListener("open", done, { once: true }));
  for (const type of ["message", "goodbye"]) {
    source.addEventListener(type, (event) => said.push(JSON.parse(event.data)));
  }
  await within("the stream opens", opened);
  await server.publish("npm", "1");
  await until("the first", () => said.length === 1);
  const line = await Line.open(`${server.ws}/t?session=npm`);
  await line.hear("ready", (frame) => frame.type === "ready");
  await server.publish("npm", "2");
  await line.hear("the second", (frame) => frame.data === "2");
  await until("the goodbye", () => said.length === 2);
  assert.equal(said[1].reason, "session_taken_over");
  // The server pings as often as it sends heartbeats.
  await until("time enough to come back", () => line.pings >= HEARTBEATS, 20_000);
  // It came back with the goodbye's id, and was told to stay away.
  assert.deepEqual(requests, [null, "session_taken_over"]);
  assert.ok(!line.said.some((frame) => frame.type === "goodbye"));
  source.close();
  // And a WebSocket is closed with the code for it.
  const other = await Line.open(`${server.ws}/ws`, ["tidings.v1"]);
  assert.equal((await other.ask({ do: "subscribe", id: 1, sub: "s", session: "npm" })).ok, true);
  assert.equal(await within("the socket closes", line.closed), 4409);
  assert.equal(line.said.at(-1).reason, "session_taken_over");
  await server.publish("npm", "3");
  const { event } = await other.hear("the third", (frame) => frame.event?.data === "3");
  assert.equal((await other.ask({ do: "ack", id: 2, sub: "s", position: event.position })).ok, true);
  await other.close();
});
