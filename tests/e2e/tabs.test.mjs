// More tabs than a browser opens connections, by the code that the guide shows: one of them listens, and all hear.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { blankPage, launch } from "./browser.mjs";
import { launchFirefox } from "./firefox.mjs";
import { startServer } from "./server.mjs";
import { numbers, until } from "./until.mjs";

const TABS = 9;
const GUIDE = new URL("../../docs/guide/browsers.md", import.meta.url);

let server;
let code;

before(async () => {
  server = await startServer();
  code = /## Many tabs[^]*?```js\n([^]*?)```/.exec(await readFile(GUIDE, "utf8"))[1];
});

after(() => server?.stop());

/** A browser whose tabs share what one user's do. */
const launchers = {
  async Chromium() {
    const browser = await launch();
    const context = await browser.newContext();
    return { newPage: () => context.newPage(), close: () => browser.close() };
  },
  Firefox: launchFirefox,
};

const heard = (page) => page.evaluate(() => window.heard);
const locks = (page) => page.evaluate(async () => {
  const { held, pending } = await navigator.locks.query();
  return { held: held.length, pending: pending.length };
});
const holds = (page) => page.evaluate(() => window.holds === true);

async function hearsAll(pages, count) {
  for (const page of pages) {
    await until(`${count} are heard`, async () => (await heard(page)).length >= count, 20_000);
    assert.deepEqual(await heard(page), numbers(count).map(String));
  }
}

async function openTab(browser, topic) {
  const page = await blankPage(browser, server);
  await page.evaluate(`(() => {
    ${code}
    window.heard = [];
    const { EventSource: Source } = window;
    window.EventSource = class extends Source { constructor(url) { super(url); window.holds = true; } };
    window.EventSource.CLOSED = Source.CLOSED;
    listenTogether(${JSON.stringify(topic)}, (event) => window.heard.push(event.data));
  })()`);
  return page;
}

for (const [name, launchBrowser] of Object.entries(launchers)) {
  test(`in ${name}, ${TABS} tabs hear every event once over one connection, whichever of them closes`, async () => {
    const topic = `tabs/${name}`;
    const browser = await launchBrowser();
    try {
      await server.publishAll(topic, [1, 2]);
      let pages = [];
      for (let tab = 0; tab < TABS; tab += 1) pages.push(await openTab(browser, topic));
      await until("one holds the stream, and the others wait for it", async () => {
        const { held, pending } = await locks(pages[0]);
        return held === 1 && pending === TABS - 1;
      });
      await server.publishAll(topic, [3, 4, 5]);
      await hearsAll(pages, 5);
      for (const last of [8, 11]) {
        const holder = await until("one holds it", async () => {
          for (const page of pages) if (await holds(page)) return page;
        });
        pages = pages.filter((page) => page !== holder);
        // While it closes, events come.
        await Promise.all([holder.close(), server.publishAll(topic, numbers(last).slice(-3))]);
        await hearsAll(pages, last);
      }
      // There is a connection left for whatever else a tab asks.
      assert.equal(await pages[0].evaluate(async (topic) => (await fetch(`/t/${topic}?via=poll`)).status, topic), 200);
    } finally {
      await browser.close();
    }
  });
}
