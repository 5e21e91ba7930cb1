// Feeds as a feed library reads them, and as the strictest XML parser at hand does, whatever was published.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { parseAtomFeed, parseRssFeed } from "feedsmith";

import { launch } from "./browser.mjs";
import { startServer } from "./server.mjs";

let server;
let browser;

before(async () => {
  server = await startServer({ TIDINGS_HTTP_PUBLIC_URL: "https://push.example.com/live/", TIDINGS_HTTP_WEBSUB_HUB: "https://hub.example.com/" });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function fetchFeed(path, accept, headers = {}) {
  const response = await fetch(`${server.url}${path}`, { headers: { accept, ...headers } });
  return { response, text: await response.text() };
}

const ATOM = "application/atom+xml";
const RSS = "application/rss+xml";

/** What a browser's XML parser finds, or its complaint. */
async function asXml(text) {
  const page = await browser.newPage();
  try {
    return await page.evaluate((text) => {
      const root = new DOMParser().parseFromString(text, "application/xml");
      const error = root.querySelector("parsererror");
      const all = (name) => [...root.getElementsByTagName(name)].map((element) => element.textContent);
      return error ? { error: error.textContent } : { contents: all("content"), descriptions: all("description").slice(1), ids: all("id"), guids: all("guid") };
    }, text);
  } finally {
    await page.close();
  }
}

test("a feed library reads what was published, the newest first, and finds absolute links", async () => {
  await server.publish("feeds/news", "Good morning\nand <b>welcome</b> & more");
  await server.publish("feeds/news", '{"price":1.5}', { "content-type": "application/json", "tidings-type": "price" });
  const atom = parseAtomFeed((await fetchFeed("/t/feeds/news", ATOM)).text);
  assert.equal(atom.title.value ?? atom.title, "feeds/news");
  const links = (feed) => feed.links.map(({ href, rel }) => [rel, href]);
  const [home, hub] = ["https://push.example.com/live/t/feeds/news", ["hub", "https://hub.example.com/"]];
  assert.deepEqual(links(atom), [["alternate", home], ["self", `${home}?via=feed`], hub]);
  assert.deepEqual(atom.entries.map((entry) => entry.title.value ?? entry.title), ['{"price":1.5}', "Good morning"]);
  assert.deepEqual(atom.entries.map((entry) => entry.content.value ?? entry.content), ['{"price":1.5}', "Good morning\nand <b>welcome</b> & more"]);
  assert.deepEqual(atom.entries[0].categories.map(({ term }) => term), ["price"]);
  assert.ok(atom.entries.every((entry) => !Number.isNaN(Date.parse(entry.updated))));

  const rss = parseRssFeed((await fetchFeed("/t/feeds/news", RSS)).text);
  assert.equal(rss.link, home);
  assert.deepEqual(links(rss.atom), [["self", `${home}?via=rss`], hub]);
  assert.deepEqual(rss.items.map((item) => item.title), ['{"price":1.5}', "Good morning"]);
  assert.equal(rss.items[1].description, "Good morning<br>\nand &lt;b&gt;welcome&lt;/b&gt; &amp; more");
  assert.deepEqual(rss.items.map((item) => item.guid.value), atom.entries.map((entry) => entry.id));
  assert.equal(rss.ttl, 1);
});

test("ids stay the same while a feed grows, and differ from each other and between topics", async () => {
  await server.publishAll("feeds/ids", ["same", "same"]);
  await server.publish("feeds/others", "same");
  const ids = async (topic) => parseAtomFeed((await fetchFeed(`/t/feeds/${topic}`, ATOM)).text).entries.map(({ id }) => id);
  const before = await ids("ids");
  await server.publish("feeds/ids", "same");
  const grown = await ids("ids");
  assert.deepEqual(grown.slice(1), before);
  const all = [...grown, ...(await ids("others"))];
  assert.equal(new Set(all).size, 4);
  for (const id of all) assert.match(id, /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("conditional requests are answered without a body", async () => {
  await server.publish("feeds/conditional", "one");
  for (const accept of [ATOM, RSS]) {
    const { response } = await fetchFeed("/t/feeds/conditional", accept);
    const tag = response.headers.get("etag");
    const { response: again, text } = await fetchFeed("/t/feeds/conditional", accept, { "if-none-match": tag });
    assert.deepEqual([again.status, text], [304, ""]);
  }
  const tags = await Promise.all([ATOM, RSS, "application/json"].map(async (accept) =>
    (await fetchFeed("/t/feeds/conditional", accept)).response.headers.get("etag")));
  assert.equal(new Set(tags).size, 3, "one tag for each form");
});

test("whatever is published, the document is well-formed and says it", async () => {
  const texts = [
    "]]><script>alert(1)</script>", "</content></entry></feed>", "&lt; &amp; &#0; &nbsp;", "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>",
    "\u0000\u0001\u0008\u000b\u001f\u007f\u0085\u2028\ufffe\uffff\u{1f600}", "\r\n\t \r", "--><!--", "",
    Array.from({ length: 512 }, (_, code) => String.fromCodePoint(code)).join(""),
  ];
  await server.publishAll("feeds/hostile", texts);
  const allowed = (text) => text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "\ufffd");
  const atom = await asXml((await fetchFeed("/t/feeds/hostile", ATOM)).text);
  assert.deepEqual(atom.contents, texts.map(allowed).reverse(), atom.error);
  const rss = await asXml((await fetchFeed("/t/feeds/hostile", RSS)).text);
  assert.equal(rss.error, undefined);
  assert.equal(rss.descriptions.length, texts.length);
  assert.deepEqual(rss.descriptions.filter((html) => /<(?!br>)/.test(html)), []);
  // And random bytes, types and names.
  const seed = { value: 7 };
  const random = (most) => (seed.value = (seed.value * 48271) % 2147483647) % most;
  for (let round = 0; round < 100; round++) {
    const bytes = Uint8Array.from({ length: random(300) }, () => random(256));
    const type = ["text/plain", "application/json; x", "a\"b/<c>", "text/xml", "\u00e4"][random(4)];
    await fetch(`${server.url}/t/feeds/random`, { method: "POST", body: bytes, headers: { "content-type": type, "tidings-type": "<\"&'>" } });
  }
  for (const accept of [ATOM, RSS]) {
    const { error } = await asXml((await fetchFeed("/t/feeds/**?last=200", accept)).text);
    assert.equal(error, undefined);
  }
  assert.equal(parseAtomFeed((await fetchFeed("/t/feeds/hostile", ATOM)).text).entries.length, texts.length);
});

test("topics with strange names are links and titles all the same", async () => {
  const topic = "feeds/<&\"'>/ä b?#%";
  await server.publish(topic.split("/").map(encodeURIComponent).join("/"), "x");
  const { text } = await fetchFeed(`/t/${topic.split("/").map(encodeURIComponent).join("/")}`, ATOM);
  const feed = parseAtomFeed(text);
  assert.equal(feed.title.value ?? feed.title, topic);
  assert.equal(decodeURIComponent(new URL(feed.links[0].href).pathname), `/live/t/${topic}`);
  assert.equal((await asXml(text)).error, undefined);
});
