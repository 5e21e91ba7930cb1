// The page without JavaScript, in a browser that has none: it refreshes itself, and its form publishes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch } from "./browser.mjs";
import { startServer } from "./server.mjs";
import { until } from "./until.mjs";

let server;
let browser;
let context;

before(async () => {
  server = await startServer({ TIDINGS_TIMES_REFRESH: "1s", TIDINGS_TIMES_POLL_MAX: "4s" });
  browser = await launch();
  context = await browser.newContext({ javaScriptEnabled: false });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page with `faults`: what the browser complains of, and whatever is asked of another host. */
async function open(path, options) {
  const page = await (options ? await browser.newContext({ javaScriptEnabled: false, ...options }) : context).newPage();
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (url.protocol !== "data:" && url.host !== new URL(server.url).host) faults.push(request.url());
  });
  await page.goto(`${server.url}${path}`);
  return { page, faults };
}

const texts = (page) => page.locator("li pre").allTextContents();

// A page may go away under a look at it; then it is looked at again.
const untilTexts = (page, wanted) =>
  until(`the page shows ${wanted}`, async () => {
    const seen = await texts(page).catch(() => []);
    return seen.length === wanted.length && seen.every((text, index) => text === wanted[index]);
  }, 20_000);

test("a browser without JavaScript is led to the page, which refreshes itself", async () => {
  await server.publish("led/here", "first");
  const { page, faults } = await open("/t/led/here");
  await page.waitForURL(/via=page/);
  await untilTexts(page, ["first"]);
  assert.match(await page.title(), /^led\/here/);
  await server.publish("led/here", "second");
  await untilTexts(page, ["second", "first"]);
  assert.deepEqual(faults, []);
  await page.close();
});

test("several topics are led there, too", async () => {
  await server.publish("several/a&b", "one");
  await server.publish("several/c", "two");
  const { page } = await open("/t?topic=several%2Fa%26b&topic=several%2Fc");
  await page.waitForURL(/via=page/);
  await untilTexts(page, ["two", "one"]);
  assert.deepEqual(await page.locator(".topic").allTextContents(), ["several/c", "several/a&b"]);
  assert.equal(await page.locator("form").count(), 0);
  await page.close();
});

test("while nothing happens it looks less often, and when something does as often as before", async () => {
  const { page } = await open("/t/quiet?via=page");
  await page.waitForURL(/shown=4/);
  await server.publish("quiet", "news");
  await untilTexts(page, ["news"]);
  const refresh = await page.locator("meta[http-equiv=refresh]").getAttribute("content");
  assert.match(refresh, /^1; url=\?via=page&shown=1&seen=/);
  await page.close();
});

test("the form publishes, and leads back to the page; what was written is only ever text", async () => {
  const { page, faults } = await open("/t/form/ä?via=page");
  await page.getByRole("link", { name: "Write a message" }).click();
  const hostile = "</pre><script>document.title='taken'</script><img src=x onerror=alert(1)> & ü \u2028 '\"";
  await page.getByLabel("Message").fill(hostile);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => !url.search.includes("still"));
  await untilTexts(page, [hostile]);
  const { events } = await server.poll("form/%C3%A4");
  assert.deepEqual(events.map(({ data, contentType }) => [data, contentType]), [[hostile, "text/plain; charset=utf-8"]]);
  assert.equal(await page.locator("script, img").count(), 0);
  // Going back and forth publishes nothing again.
  await page.goBack();
  await page.goForward();
  assert.equal((await server.poll("form/%C3%A4")).events.length, 1);
  assert.deepEqual(faults, []);
  await page.close();
});

test("a page of another origin cannot send the form", async () => {
  const stranger = await context.newPage();
  await stranger.route("http://stranger.test/**", (route) => route.fulfill({
    contentType: "text/html",
    body: `<form method="post" action="${server.url}/t/forged?via=page"><input name="data" value="x"><button>Go</button></form>`,
  }));
  await stranger.goto("http://stranger.test/");
  const answer = stranger.waitForResponse(`${server.url}/t/forged?via=page`);
  await stranger.getByRole("button").click();
  assert.equal((await answer).status(), 403);
  assert.equal((await server.poll("forged")).events.length, 0);
  await stranger.close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`on a phone nothing is wider than the screen, ${colorScheme}`, async () => {
    await server.publish("phone", "x".repeat(500));
    await server.publish("phone", JSON.stringify({ long: "y".repeat(500) }), { "content-type": "application/json" });
    const options = { colorScheme, viewport: { width: 360, height: 700 } };
    const { page, faults } = await open(`/t/phone?via=page&still`, options);
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
    const [ink, paper] = await page.evaluate(() => {
      const { color, backgroundColor } = getComputedStyle(document.body);
      return [color, backgroundColor].map((rgb) => rgb.match(/\d+/g).reduce((sum, part) => sum + Number(part), 0));
    });
    assert.ok(colorScheme === "light" ? ink < paper : ink > paper, `${ink} on ${paper}`);
    assert.deepEqual(faults, []);
    await page.context().close();
  });
}
