// Pushlet clients as pages had them: one that pulls XML documents, and a frame whose scripts push to the page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, plainPage } from "./browser.mjs";
import { startServer } from "./server.mjs";
import { numbers, until } from "./until.mjs";

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

/** A page with `faults`, on which `heard` collects what came in. */
async function page() {
  const page = await plainPage(browser, server.url);
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.evaluate(() => {
    window.heard = [];
  });
  return { page, faults };
}

/** Starts a client that pulls: it sends what the protocol's AJAX client sends, and parses as strictly as a browser does. */
const pull = (page, query) => page.evaluate((query) => {
  const ask = async (event, rest) => {
    const response = await fetch(`/pushlet/pushlet.srv?p_event=${event}&${rest}`);
    const root = new DOMParser().parseFromString(await response.text(), "text/xml");
    if (root.querySelector("parsererror")) throw new Error(root.documentElement.textContent);
    return [...root.documentElement.getElementsByTagName("event")].map((element) =>
      Object.fromEntries([...element.attributes].map(({ name, value }) => [name, value])));
  };
  window.ask = ask;
  let id;
  const hear = (events) => {
    for (const event of events) {
      if (event.p_event === "join-listen-ack") window.id = id = event.p_id;
      if (event.p_event === "data" || event.p_event === "nack") window.heard.push(event);
      if (event.p_event === "refresh") setTimeout(async () => hear(await ask("refresh", `p_id=${id}`)), Number(event.p_wait));
    }
  };
  ask("join-listen", `p_format=xml-strict&p_mode=pull&${query}`).then(hear);
}, query);

const heard = (page, field) => page.evaluate((field) => window.heard.map((event) => event[field]), field);

test("a page that pulls hears every event once and in order", async () => {
  const { page: client, faults } = await page();
  await pull(client, "p_subject=/pulled");
  await until("it has joined", () => client.evaluate(() => window.id));
  for (const n of numbers(30)) await server.publish("pulled/x", JSON.stringify({ n }), { "content-type": "application/json" });
  await until("all are there", async () => (await heard(client, "n")).length >= 30);
  assert.deepEqual(await heard(client, "n"), numbers(30).map(String));
  assert.deepEqual(faults, []);
  await client.close();
});

test("what one page publishes, the other hears, whatever it is", async () => {
  const [{ page: one, faults }, { page: other }] = [await page(), await page()];
  await pull(one, "p_subject=/chat");
  await pull(other, "p_subject=/chat");
  for (const client of [one, other]) await until("it has joined", () => client.evaluate(() => window.id));
  const texts = ["hello", "</event>", "\"'<&>", "line\nline\ttab\rreturn", "\u0000\u001b", "ü 早 \u{1f600}", "&amp;lt;"];
  for (const text of texts) {
    const [ack] = await one.evaluate((text) =>
      ask("publish", `p_id=${id}&p_subject=/chat/room&text=${encodeURIComponent(text)}`), text);
    assert.equal(ack.p_event, "publish-ack");
  }
  const allowed = texts.map((text) => text.replace(/[\u0000\u001b]/g, "\ufffd"));
  for (const client of [one, other]) {
    await until("all are there", async () => (await heard(client, "text")).length >= texts.length);
    assert.deepEqual(await heard(client, "text"), allowed);
    assert.deepEqual(new Set(await heard(client, "p_subject")), new Set(["/chat/room"]));
  }
  assert.deepEqual(faults, []);
  await Promise.all([one.close(), other.close()]);
});

for (const mode of ["stream", "pull", "poll"]) {
  test(`a frame pushes to its page by scripts, in the mode ${mode}`, async () => {
    const { page: client, faults } = await page();
    const subject = `framed/${mode}`;
    await client.evaluate(([mode, subject]) => {
      window.push = (...pairs) => {
        const event = {};
        for (let index = 0; index < pairs.length; index += 2) event[pairs[index]] = pairs[index + 1];
        if (event.p_event === "join-listen-ack") window.id = event.p_id;
        if (event.p_event === "data") window.heard.push(event);
      };
      const frame = document.createElement("iframe");
      frame.src = `/pushlet/pushlet.srv?p_event=join-listen&p_mode=${mode}&p_subject=/${subject}`;
      document.body.append(frame);
    }, [mode, subject]);
    await until("it has joined", () => client.evaluate(() => window.id));
    const hostile = "</script><script>parent.taken = true</script>\u2028\"';";
    await server.publishAll(subject, ["one", hostile, "three"]);
    await until("all are there", async () => (await heard(client, "data")).length >= 3, 20_000);
    await server.publish(subject, "four");
    await until("the fourth is, too", async () => (await heard(client, "data")).length >= 4, 20_000);
    assert.deepEqual(await heard(client, "data"), ["one", hostile, "three", "four"]);
    assert.equal(await client.evaluate(() => window.taken), undefined);
    assert.deepEqual(faults, []);
    await client.close();
  });
}
