// Scripts in a page of another origin: what they bring, what they may not, and that nothing breaks out of them.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { launch } from "./browser.mjs";
import { startServer } from "./server.mjs";
import { numbers } from "./until.mjs";

let server;
let browser;
let elsewhere;

before(async () => {
  elsewhere = createServer((_, response) => response.end("<!doctype html><title>Elsewhere</title>")).listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
  server = await startServer({ TIDINGS_NAMESPACE: '[{match = "open/**", jsonp = true}]' });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  elsewhere?.close();
});

/** A page of another origin, which loads scripts from the server with `load(topic, query)`. */
async function stranger() {
  const page = await browser.newPage();
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.goto(`http://127.0.0.1:${elsewhere.address().port}/`);
  await page.evaluate((url) => {
    let count = 0;
    window.load = (topic, query = "") => new Promise((done, fail) => {
      const name = `call${++count}`;
      window[name] = done;
      const script = document.createElement("script");
      script.src = `${url}/t/${topic}?via=jsonp&callback=${name}&${query}`;
      script.onerror = () => fail(new Error("the script did not load"));
      // It runs before that; when it has called nothing by then, it is no program.
      script.onload = () => fail(new Error("the script called nothing"));
      document.head.append(script);
    });
  }, server.url);
  return { page, faults };
}

test("a page of another origin polls by scripts, and goes on from its position", async () => {
  const { page, faults } = await stranger();
  await server.publishAll("open/polled", ["one", "two"]);
  const first = await page.evaluate(() => load("open/polled"));
  assert.deepEqual(first.events.map((event) => event.data), ["one", "two"]);
  assert.equal(first.retryAfter, 1);
  await server.publish("open/polled", "three");
  const second = await page.evaluate((since) => load("open/polled", `since=${since}`), first.position);
  assert.deepEqual(second.events.map((event) => event.data), ["three"]);
  assert.deepEqual(faults, []);
  await page.close();
});

test("long polls by scripts bring every message once and in order", async () => {
  const { page, faults } = await stranger();
  const { position } = await page.evaluate(() => load("open/held"));
  const heard = page.evaluate(async (position) => {
    const data = [];
    while (data.length < 50) {
      const answer = await load("open/held", `wait=20&since=${position}`);
      data.push(...answer.events.map((event) => Number(event.data)));
      ({ position } = answer);
    }
    return data;
  }, position);
  await server.publishAll("open/held", numbers(50));
  assert.deepEqual(await heard, numbers(50));
  assert.deepEqual(faults, []);
  await page.close();
});

test("whatever is published is data and never program", async () => {
  const { page, faults } = await stranger();
  const texts = ["</script><script>alert(1)</script>", "\u2028\u2029", "*/alert(1)/*", "'\"`${alert(1)}\\", "\0\r\n"];
  await server.publishAll("open/hostile", texts);
  const json = ['{"__proto__":{"bad":1},"__proto__":2}', '{"\\u005f_proto__":{"bad":1}}', '"\u2028"', '{"constructor":1}'];
  for (const body of json) await server.publish("open/hostile", body, { "content-type": "application/json" });
  const [data, prototypes] = await page.evaluate(async () => {
    const { events } = await load("open/hostile");
    const own = events.map(({ data }) => data instanceof Object && Object.hasOwn(data, "__proto__"));
    return [events.map(({ data }) => JSON.stringify(data)), own];
  });
  assert.deepEqual(data.slice(0, texts.length), texts.map((text) => JSON.stringify(text)));
  assert.deepEqual(prototypes.slice(texts.length), [true, true, false, false]);
  assert.deepEqual(faults, []);
  await page.close();
});

test("what is not allowed, and what is wrong, is told by a call", async () => {
  const { page } = await stranger();
  await server.publish("closed", "secret");
  const closed = await page.evaluate(() => load("closed"));
  assert.deepEqual([closed.status, closed.error, closed.events], [403, "forbidden", undefined]);
  const wide = await page.evaluate(() => load("**", "since=start"));
  assert.ok(wide.events.length > 0 && wide.events.every((event) => event.topic.startsWith("open/")));
  const wrong = await page.evaluate(() => load("open//x"));
  assert.deepEqual([wrong.status, wrong.error], [400, "bad_topic"]);
  await page.close();
});

test("a name that is no function's is no script", async () => {
  const { page } = await stranger();
  const outcome = await page.evaluate((url) => new Promise((done) => {
    const script = document.createElement("script");
    script.src = `${url}/t/open/x?via=jsonp&callback=document.title=1;f`;
    script.onerror = () => done("refused");
    script.onload = () => done("loaded");
    document.head.append(script);
  }), server.url);
  assert.equal(outcome, "refused");
  await page.close();
});
