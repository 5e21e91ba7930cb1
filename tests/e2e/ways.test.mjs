// Every way that the server has, open at once in one page on one topic, while events are published all the time and the server is
// killed and started again: each shows each event exactly once.

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { blankPage, launch } from "./browser.mjs";
import { launchFirefox } from "./firefox.mjs";
import { freeAddress, startServer } from "./server.mjs";
import { numbers, until } from "./until.mjs";

const TOPIC = "ways/all";
/** No more than the page without JavaScript shows, and than one colour has shades. */
const COUNT = 150;
const KILLED_AT = 60;
/** How far apart events are published: so that they come alone, and not all in one answer. */
const PACE_MS = 40;
const SCRIPTS = ["card.js", "polls.js", "streams.js", "frames.js", "main.js"];
/** Ways that stay open by nature; each of them has to come back. */
const COME_BACK = ["Forever iframe", "XHR streaming", "NDJSON", "Multipart, read by fetch", "Server-Sent Events",
  "WebSocket", "WebSocket, tidings.v1", "Pushlet, stream", "Pushlet, pull", "JSONP long polling", "XHR long polling"];

let folder;
let host;

before(async () => {
  // The page's origin has to be known before the server starts, and stays the same when it starts again.
  host = await freeAddress();
});

after(async () => {
  if (folder) await rm(folder, { recursive: true });
});

const start = (data) => startServer({
  TIDINGS_DATA: data,
  TIDINGS_HTTP_ALLOWED_ORIGINS: `["http://${host}"]`,
  TIDINGS_NAMESPACE: '[{match = "ways/**", jsonp = true}]',
  TIDINGS_TIMES_HEARTBEAT: "1s",
  TIDINGS_TIMES_POLL_MAX: "2s",
}, host);

/** An event: a picture of its number, in that colour, with what no way may stumble over. */
const picture = (number) => `<svg xmlns="http://www.w3.org/2000/svg" width="48" height="26" data-n="${number}">
<!-- </script> ]]> &amp; \u2028 'quoted' --><rect width="48" height="26" fill="rgb(0,0,${number})"/>
<text x="24" y="19" fill="#fff" font-family="sans-serif" font-size="16" text-anchor="middle">${number}</text></svg>`;

/** The page of all ways, in a page of the server's own origin. */
async function openPage(browser, server) {
  const page = await blankPage(browser, server);
  const parts = await Promise.all(SCRIPTS.map((name) => readFile(new URL(`ways/${name}`, import.meta.url), "utf8")));
  const port = host.split(":")[1];
  const told = { COUNT, TOPIC, OWN: `http://${host}`, ONE: `http://one.localhost:${port}`, TWO: `http://two.localhost:${port}` };
  const constants = Object.entries(told).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};`);
  const html = await readFile(new URL("ways/page.html", import.meta.url), "utf8");
  const script = [...constants, ...parts].join("\n").replaceAll("</script", "<\\/script");
  await page.evaluate((text) => {
    document.open();
    document.write(text);
    document.close();
  }, html.replace("</html>", () => `<script>${script}</script></html>`));
  return page;
}

const books = (page) => page.evaluate("books()");

/** Publishes all, each until it is stored, whatever becomes of the server meanwhile; `stored` counts them. */
async function publishAll(server, page, progress) {
  for (const number of numbers(COUNT)) {
    await until(`${number} is stored`, () =>
      // A publish that was answered by nobody may have been stored: the key says that it is the same.
      server().publish(TOPIC, picture(number), { "content-type": "image/svg+xml", "idempotency-key": `event-${number}` })
        .then(() => true, () => false), 20_000);
    progress.stored = number;
    await page.evaluate(`tell({published: ${number}})`);
    await new Promise((done) => setTimeout(done, PACE_MS));
  }
}

function faultsOf({ name, kind, shown, faults, returns, state, trouble }) {
  const found = faults.map((fault) => `${name}: ${fault}`);
  if (state !== "live") found.push(`${name} is ${state} ${trouble}`);
  if (kind === "newest" ? shown.at(-1) !== COUNT : shown.length !== COUNT) found.push(`${name} shows ${shown.length}, at last ${shown.at(-1)}`);
  if (COME_BACK.includes(name) && returns === 0) found.push(`${name} never noticed that the server was gone`);
  return found;
}

const BROWSERS = { Chromium: launch, Firefox: launchFirefox };

for (const [name, launchBrowser] of Object.entries(BROWSERS)) {
  test(`in ${name}, every way shows every event exactly once, over the death of the server`, { timeout: 60_000 }, async () => {
    folder = await mkdtemp(join(tmpdir(), "tidings-e2e-"));
    let server = await start(folder);
    const browser = await launchBrowser();
    try {
      const page = await openPage(browser, server);
      await until("every way is open", async () => (await books(page)).every(({ state }) => state === "live"), 20_000)
        .catch(async (error) => assert.fail(`${error.message}: ${JSON.stringify(await books(page), null, 1)}`));
      const progress = { stored: 0 };
      const publishing = publishAll(() => server, page, progress);
      await until("enough is published", () => progress.stored >= KILLED_AT, 20_000);
      await server.kill();
      await page.evaluate(`tell({killed: ${progress.stored}, server: "The server was killed."})`);
      server = await start(folder);
      await page.evaluate(`tell({server: "The server was killed, and is up again."})`);
      await publishing;
      let wrong;
      await until("every way has shown every event", async () =>
        (wrong = (await books(page)).flatMap(faultsOf)).length === 0, 20_000).catch(() => assert.fail(wrong.join("\n")));
      await page.evaluate(`tell({verdict: "Every way has shown every event exactly once."})`);
      if (process.env.WAYS_PICTURE) await writeFile(`${process.env.WAYS_PICTURE}-${name}.png`, await page.screenshot({ fullPage: true }));
    } finally {
      await browser.close();
      await server.stop();
      await rm(folder, { recursive: true });
      folder = undefined;
    }
  });
}
