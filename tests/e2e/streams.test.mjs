// The streams of old browsers, as pages use them: growing answers, frames, pictures; in Chromium and in Firefox.
// Every function passed to `evaluate` runs in the browser.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { blankPage, launch } from "./browser.mjs";
import { launchFirefox } from "./firefox.mjs";
import { freeAddress, startServer } from "./server.mjs";
import { numbers, until } from "./until.mjs";

const HOSTILE = [
  "</script><script>parent.taken = 1</script>", "</script x><img src=x onerror='parent.taken = 1'>", "\"); parent.taken = 1; //",
  "\u2028\u2029\\", "<!--<script >", "\r\n\u0000",
];

let server;
/** A page of this origin is let in by its name; one of any other is not. */
let friend;
let stranger;

before(async () => {
  const address = await freeAddress();
  friend = `http://friend.localhost:${address.split(":")[1]}`;
  stranger = friend.replace("friend", "stranger");
  server = await startServer({ TIDINGS_TIMES_HEARTBEAT: "1s", TIDINGS_HTTP_ALLOWED_ORIGINS: friend }, address);
});

after(() => server?.stop());

const heard = (page) => page.evaluate(() => window.heard);

/** Waits until so many messages have come, whatever else was said, and gives their data. */
const messages = async (page, count) => {
  const all = () => heard(page).then((events) => events.filter(({ topic }) => topic !== undefined));
  await until(`${count} messages`, async () => (await all()).length >= count, 20_000);
  return (await all()).map(({ data }) => data);
};

const isReady = (page) => until("it is ready", async () => (await heard(page)).some(({ type }) => type === "ready"), 20_000);

function readByRequest(target) {
  window.heard = [];
  window.ends = 0;
  const request = new XMLHttpRequest();
  let read = 0;
  request.open("GET", target);
  request.onprogress = request.onloadend = () => {
    for (let end; (end = request.responseText.indexOf("\n", read)) >= 0; read = end + 1) {
      const line = request.responseText.slice(read, end).trim();
      if (line) window.heard.push(JSON.parse(line));
    }
  };
  request.onload = () => (window.ends += 1);
  request.send();
}

function readByFrame({ target, origin }) {
  window.heard = [];
  window.ends = 0;
  window.tidings = (text) => window.heard.push(JSON.parse(text));
  window.addEventListener("message", (message) => message.origin === origin && window.heard.push(JSON.parse(message.data)));
  const frame = document.createElement("iframe");
  frame.onload = () => (window.ends += 1);
  frame.src = target;
  document.body.append(frame);
}

/** A picture of one colour that the browser itself makes, as bytes. */
async function picture(page, colour, type) {
  const url = await page.evaluate(({ colour, type }) => {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, canvas.width, canvas.height);
    return canvas.toDataURL(type);
  }, { colour, type });
  assert.ok(url.startsWith(`data:${type};base64,`));
  return Buffer.from(url.split(",")[1], "base64");
}

/** What colour the picture on the page has now, roughly: JPEG keeps no exact ones. */
const colour = (page) => page.evaluate(() => {
  const image = document.querySelector("img");
  if (!image.naturalWidth) return "none";
  const context = document.createElement("canvas").getContext("2d");
  context.drawImage(image, 0, 0);
  const [red, green, blue] = [...context.getImageData(5, 5, 1, 1).data].map((value) => value > 128);
  return red ? "red" : green ? "lime" : blue ? "blue" : "black";
});

for (const [name, launchBrowser] of Object.entries({ Chromium: launch, Firefox: launchFirefox })) {
  let browser;
  const topic = name.toLowerCase();

  test(`${name} starts`, async () => {
    browser = await launchBrowser();
  });

  test(`${name}: XHR streaming shows each event when it comes, and ends before it fills the page`, async () => {
    const page = await blankPage(browser, server);
    await page.evaluate(readByRequest, `/t/${topic}/xhr?via=xhr&bytes=3000`);
    await isReady(page);
    for (const number of numbers(3)) {
      await server.publish(`${topic}/xhr`, String(number));
      assert.deepEqual(await messages(page, number), numbers(number).map(String));
    }
    assert.equal(await page.evaluate(() => window.ends), 0);
    await server.publishAll(`${topic}/xhr`, numbers(4).map(() => "x".repeat(1000)));
    await until("it has ended", () => page.evaluate(() => window.ends));
    const goodbye = (await heard(page)).at(-1);
    assert.deepEqual([goodbye.type, goodbye.retryMs], ["goodbye", 0]);
    await page.close();
  });

  test(`${name}: a forever iframe calls a function of its own origin's page, and is nobody's program`, async () => {
    const page = await blankPage(browser, server);
    const target = `/t/${topic}/frame?via=iframe`;
    await page.evaluate(readByFrame, { target, origin: null });
    await isReady(page);
    for (const [index, text] of HOSTILE.entries()) {
      await server.publish(`${topic}/frame`, text);
      assert.deepEqual(await messages(page, index + 1), HOSTILE.slice(0, index + 1));
    }
    assert.deepEqual(await page.evaluate(() => [window.taken ?? "no", window.ends]), ["no", 0]);
    await page.close();
  });

  test(`${name}: a forever iframe posts to the page of an origin that is allowed, and to no other`, async () => {
    const [allowed, other] = [await blankPage(browser, server, friend), await blankPage(browser, server, stranger)];
    const { url } = server;
    await allowed.evaluate(readByFrame, { target: `${url}/t/${topic}/posted?via=iframe&origin=${friend}`, origin: url });
    await isReady(allowed);
    // Whoever says that it is the friend is told nothing, and may not even show the frame; nor may whoever says who it is.
    await other.evaluate(readByFrame, { target: `${url}/t/${topic}/posted?via=iframe&origin=${friend}`, origin: url });
    await until("the frame was refused", () => other.evaluate(() => window.ends));
    await other.evaluate(readByFrame, { target: `${url}/t/${topic}/posted?via=iframe&origin=${stranger}`, origin: url });
    await until("the frame was refused", () => other.evaluate(() => window.ends));
    await server.publish(`${topic}/posted`, "for friends");
    assert.deepEqual(await messages(allowed, 1), ["for friends"]);
    assert.deepEqual(await heard(other), []);
    await Promise.all([allowed.close(), other.close()]);
  });

  test(`${name}: a picture shows its topic live, PNG and JPEG`, async () => {
    const page = await blankPage(browser, server);
    const pictures = [["red", "image/png"], ["blue", "image/jpeg"], ["lime", "image/png"], ["red", "image/jpeg"]];
    await page.evaluate((target) => {
      const image = new Image();
      image.src = target;
      document.body.append(image);
    }, `/t/${topic}/pictures?via=multipart`);
    for (const [wanted, type] of pictures) {
      await server.publish(`${topic}/pictures`, await picture(page, wanted, type), { "content-type": type });
      await until(`the picture is ${wanted}`, async () => (await colour(page)) === wanted);
    }
    await page.close();
  });

  test(`${name}: an EventSource with credentials hears where its origin is allowed by name`, async () => {
    const [allowed, other] = [await blankPage(browser, server, friend), await blankPage(browser, server, stranger)];
    const listen = (target) => {
      window.heard = [];
      const source = new EventSource(target, { withCredentials: true });
      source.addEventListener("ready", () => window.heard.push({ type: "ready" }));
      source.onmessage = (event) => window.heard.push(JSON.parse(event.data));
      source.onerror = () => window.heard.push({ type: "failed", state: source.readyState });
    };
    for (const page of [allowed, other]) await page.evaluate(listen, `${server.url}/t/${topic}/named?via=sse`);
    await isReady(allowed);
    await until("the stranger is refused for good", async () =>
      (await heard(other)).some(({ type, state }) => type === "failed" && state === 2));
    await server.publish(`${topic}/named`, "by name");
    assert.deepEqual(await messages(allowed, 1), ["by name"]);
    assert.ok((await heard(other)).every(({ type }) => type === "failed"));
    await Promise.all([allowed.close(), other.close()]);
  });

  test(`${name} ends`, () => browser?.close());
}
