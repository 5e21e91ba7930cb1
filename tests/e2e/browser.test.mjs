// The server's own page in a real browser: every card gets every message exactly once.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, watchedPage } from "./browser.mjs";
import { startServer } from "./server.mjs";
import { until } from "./until.mjs";

const VIAS = ["sse", "ndjson", "ws", "longpoll", "poll", "v1"];
// What a directive may name beyond 'self' and 'none': nothing inline, no other host.
const ALSO_ALLOWED = { "img-src": ["data:"], "connect-src": ["ws:", "wss:"] };

let server;
let browser;

before(async () => {
  server = await startServer();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

function assertStrict(policy) {
  const directives = Object.fromEntries(policy.split(";").map((directive) => {
    const [name, ...sources] = directive.trim().split(/\s+/);
    return [name, sources];
  }));
  assert.deepEqual(directives["default-src"], ["'self'"]);
  for (const [name, sources] of Object.entries(directives)) {
    const allowed = ["'self'", "'none'", ...(ALSO_ALLOWED[name] ?? [])];
    assert.deepEqual(sources.filter((source) => !allowed.includes(source)), [], `${name} in ${policy}`);
  }
}

const books = (page) =>
  page.$$eval("[data-via]", (cards) => cards.map((card) => ({ ...card.dataset })));

async function untilAll(page, what, wanted) {
  let seen;
  await until(what, async () => {
    seen = await books(page);
    return seen.length === VIAS.length && seen.every(wanted);
  }, 20_000).catch((error) => assert.fail(`${error.message}: ${JSON.stringify(seen, null, 1)}`));
  return seen;
}

const allLive = (page) => untilAll(page, "every card is live", (card) => card.state === "live");

const allExactly = (page, count) =>
  untilAll(page, `every card shows exactly ${count}`, (card) =>
    card.count === String(count) && [card.waiting, card.lost, card.doubled, card.gone].every((n) => n === "0"));

test("the page at / comes with a strict content security policy and loads only from its own host", async () => {
  const { page, faults } = await watchedPage(browser, server.url);
  const response = await page.goto(`${server.url}/`);
  assert.equal(response.status(), 200);
  assert.match(response.headers()["content-type"], /^text\/html\b/);
  assertStrict(response.headers()["content-security-policy"]);
  assert.equal(response.headers()["x-content-type-options"], "nosniff");
  assert.deepEqual((await allLive(page)).map((card) => card.via), VIAS);
  assert.deepEqual(faults, []);
  await page.close();
});

test("100 messages sent by the page reach every card exactly once", async () => {
  const { page, faults } = await watchedPage(browser, server.url);
  await page.goto(`${server.url}/?topic=hundred`);
  await allLive(page);
  await page.getByRole("button", { name: "Send 100" }).click();
  await allExactly(page, 100);
  const medians = await page.$$eval("[data-figure=median]", (figures) => figures.map((f) => Number(f.textContent)));
  assert.ok(medians.every((median) => median > 0), `medians in milliseconds: ${medians}`);
  assert.deepEqual(faults, []);
  await page.close();
});

test("a message typed and sent with Enter is shown, and so is one from elsewhere", async () => {
  const { page, faults } = await watchedPage(browser, server.url);
  await page.goto(`${server.url}/t/typed/here`);
  await allLive(page);
  await page.getByLabel("Message", { exact: true }).fill("<b>hello</b> & more");
  await page.keyboard.press("Enter");
  await allExactly(page, 1);
  await server.publish("typed/here", JSON.stringify({ from: "elsewhere" }), { "content-type": "application/json" });
  await allExactly(page, 2);
  const texts = await page.locator("#rows .what").allTextContents();
  assert.deepEqual(texts, ['{"from":"elsewhere"}', "<b>hello</b> & more"]);
  assert.deepEqual(faults, []);
  await page.close();
});

for (const via of VIAS) {
  test(`what was sent while the ${via} card was dropped is caught up on, exactly once`, async () => {
    const { page, faults } = await watchedPage(browser, server.url);
    await page.goto(`${server.url}/t/dropped/${via}`);
    await allLive(page);
    await server.publishAll(`dropped/${via}`, ["one", "two"]);
    await allExactly(page, 2);
    const card = page.locator(`[data-via=${via}]`);
    await card.getByRole("button", { name: "Drop" }).click();
    await page.locator(`[data-via=${via}][data-state=dropped]`).waitFor();
    await page.getByLabel("Message", { exact: true }).fill("three");
    await page.keyboard.press("Enter");
    await server.publish(`dropped/${via}`, "four");
    await untilAll(page, "every other card shows 4 and the dropped one owes 2", ({ via: name, count, waiting }) =>
      name === via ? count === "2" && waiting === "2" : count === "4" && waiting === "0");
    await card.getByRole("button", { name: "Reconnect" }).click();
    const seen = await allExactly(page, 4);
    assert.equal(seen.find((one) => one.via === via).caught, "2");
    assert.deepEqual(faults, []);
    await page.close();
  });
}

test("a browser's GET of a topic shows the page, other clients get JSON at the same address", async () => {
  await server.publish("shown/topic", "already here");
  const { page, faults } = await watchedPage(browser, server.url);
  const response = await page.goto(`${server.url}/t/shown/topic`);
  assert.match(response.headers()["content-type"], /^text\/html\b/);
  assertStrict(response.headers()["content-security-policy"]);
  assert.match(response.headers().vary ?? "", /accept/i);
  await allLive(page);
  assert.match(await page.title(), /shown\/topic/);
  assert.deepEqual(await page.locator("#rows .what").allTextContents(), ["already here"]);
  assert.deepEqual(faults, []);
  await page.close();
  const json = await fetch(`${server.url}/t/shown/topic`);
  assert.match(json.headers.get("content-type"), /^application\/json\b/);
});

test("the page of a filter shows messages of every topic that matches", async () => {
  const { page, faults } = await watchedPage(browser, server.url);
  await page.goto(`${server.url}/t/many/**`);
  await allLive(page);
  await server.publish("many/a", "one");
  await server.publish("many/b/c", "two");
  await allExactly(page, 2);
  assert.deepEqual(await page.locator("#rows .of").allTextContents(), ["many/b/c", "many/a"]);
  assert.deepEqual(faults, []);
  await page.close();
});

test("a second window makes the first let go of its held connections, and both keep up", async () => {
  const context = await browser.newContext();
  const [first, second] = [await context.newPage(), await context.newPage()];
  await first.goto(`${server.url}/t/windows`);
  await allLive(first);
  await second.goto(`${server.url}/t/windows`);
  await allLive(second);
  await untilAll(first, "the first window's held readers rest", ({ via, state }) =>
    state === (["sse", "ndjson", "longpoll"].includes(via) ? "resting" : "live"));
  await second.getByRole("button", { name: "Send 100" }).click();
  await allExactly(second, 100);
  await first.evaluate(() => window.dispatchEvent(new Event("focus")));
  await allLive(first);
  await allExactly(first, 100);
  await context.close();
});

test("after a restart that forgot everything each card comes back by itself and says what is gone", async () => {
  const first = await startServer();
  const { page } = await watchedPage(browser, first.url);
  await page.goto(`${first.url}/t/restart`);
  await allLive(page);
  await first.publishAll("restart", ["one", "two"]);
  await allExactly(page, 2);
  await first.stop();
  await untilAll(page, "every card has noticed", (card) => card.state === "lost");
  const second = await startServer({}, new URL(first.url).host);
  try {
    await allLive(page);
    await second.publish("restart", "three");
    await allExactly(page, 3);
    const verdicts = await page.locator(".verdict").allTextContents();
    assert.deepEqual(verdicts.filter((verdict) => !verdict.includes("the log began anew")), []);
  } finally {
    await page.close();
    await second.stop();
  }
});
