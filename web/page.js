// The page of a topic: publishes to it and starts every reader of it at one position.
// It must never talk to another host.

import { addRow, cards, cell, draw, know, sent, write } from "./cards.js";
import { address, ask, pause, readAddress, readsMany, refusal, topics } from "./readers.js";

const HISTORY = 10; // Messages shown that were there before the page.
const BATCH = 100;
const SENDERS = 2; // Of the six HTTP/1.1 connections a browser opens to a server, readers hold three.
const SLOW_SEND_MS = 2_000;
const RETRY_MS = 2_000;
const CHECK_MS = 1_000;

const $ = (id) => document.getElementById(id);
const name = topics.join(", ");

function tell(text, isBad = false) {
  $("status").toggleAttribute("data-bad", isBad);
  write($("status"), text);
}

const reason = (error) => (error.status ? error.message : "The server does not answer.");

// ---- Reading

// Every reader starts where one poll ended, so that all of them owe the same messages.
async function begin() {
  try {
    const response = await ask({ via: "poll", last: HISTORY }, "application/json");
    const { events, position } = await response.json();
    for (const event of events) if (event.topic !== undefined) addRow(event.position, event, "");
    for (const card of cards) Object.assign(card, { position }).go("connecting");
  } catch (error) {
    tell(reason(error), true);
    if (error.status >= 400 && error.status < 500) return close();
    await pause(RETRY_MS);
    await begin();
  }
}

// Of a topic that cannot be read there is nothing to show but why.
function close() {
  for (const part of document.querySelectorAll("section:not(.lead), .lead > :not(h1, .status)")) part.hidden = true;
}

// A line that died without a word, such as after sleep, is noticed by its silence.
setInterval(() => {
  for (const card of cards) {
    if (card.state !== "live" || performance.now() - card.heardAt < card.quietMs) continue;
    card.halt("lost");
    card.go("lost");
  }
  draw();
}, CHECK_MS);

// Two windows of this page would use up the browser's six connections to the server and choke
// each other. So the one used last asks the others to let go of what they hold.
const windows = new BroadcastChannel("tidings-page");
windows.onmessage = () => {
  for (const card of cards) if (card.held && card.isOn()) card.halt("resting");
  tell("Another window of this page is in use. The readers that hold an HTTP connection rest until you come back.");
};

function wake() {
  windows.postMessage("in use");
  const resting = cards.filter((card) => card.state === "resting");
  for (const card of resting) card.go("connecting");
  if (resting.length) tell("");
}

// ---- Publishing

async function publish(text) {
  const trace = Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");
  const slow = setTimeout(tell, SLOW_SEND_MS, "Waiting for a connection: a browser opens at most six to one "
    + "HTTP/1.1 server, and other windows of this page may hold them.", true);
  sent.set(trace, performance.now());
  try {
    const headers = { "Tidings-Header-Trace": trace };
    const response = await fetch(address(topics[0]), { method: "POST", headers, body: text });
    if (!response.ok) throw await refusal(response);
    know(trace);
  } finally {
    clearTimeout(slow);
  }
}

async function publishAll(texts) {
  const next = texts.values();
  const send = async () => {
    for (const text of next) await publish(text);
  };
  $("hundred").setAttribute("aria-disabled", "true");
  try {
    await Promise.all(Array.from({ length: SENDERS }, send));
    tell(`Sent ${texts.length === 1 ? "1 message" : `${texts.length} messages`}.`);
  } catch (error) {
    tell(`Not sent. ${reason(error)}`, true);
    $("text").value ||= texts[0];
  } finally {
    $("hundred").removeAttribute("aria-disabled");
  }
}

$("compose").onsubmit = (event) => {
  event.preventDefault();
  publishAll([$("text").value || "hello"]);
  $("text").value = "";
};

$("hundred").onclick = () => {
  if ($("hundred").hasAttribute("aria-disabled")) return;
  const text = $("text").value || "message";
  publishAll(Array.from({ length: BATCH }, (_, index) => `${text} ${index + 1}`));
};

// ---- The rest of the page

$("go").onsubmit = (event) => {
  event.preventDefault();
  location.assign(address($("topic").value.trim().replace(/^\/+|\/+$/g, "")));
};

function commands() {
  const at = (query) => `"${location.origin}${readAddress(query)}"`;
  return [
    !readsMany && ["Publish", `curl -d "hello" ${at({})}`],
    ["Subscribe, as JSON lines", `curl -N -H "Accept: application/x-ndjson" ${at({})}`],
    ["Subscribe, as an event stream", `curl -N -H "Accept: text/event-stream" ${at({})}`],
    ["Wait for the next message", `curl ${at({ wait: 30 })}`],
    ["Read back what is there", `curl ${at({ since: "start" })}`],
  ].filter(Boolean);
}

for (const [what, line] of commands()) {
  const entry = $("command").content.cloneNode(true);
  const [code, button] = [entry.querySelector("code"), entry.querySelector("button")];
  entry.querySelector("dt").textContent = what;
  code.textContent = line;
  button.setAttribute("aria-label", `Copy: ${what}`);
  button.onclick = () => copy(code, button);
  $("commands").append(entry);
}

// Outside a secure context there is no clipboard to write to, only a selection to copy.
async function copy(code, button) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    document.execCommand("copy");
  }
  write(button, "Copied");
  await pause(RETRY_MS);
  write(button, "Copy");
}

document.title = `${name} · Tidings`;
write($("shown"), name);
$("topic").value = topics.length === 1 ? name : "";
if (readsMany) {
  $("compose").replaceChildren(cell("p", "This reads many topics; a message is published to one. Open one to send."));
}
if (matchMedia("(pointer: fine)").matches) $("text")?.focus();
addEventListener("focus", wake);
wake();
begin();
