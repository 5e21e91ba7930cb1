// The readers' books and their faces: who has which message, and the cards and table that show it.
// It must never hide a message that was lost or came twice, nor call a loss what was told as a gap.

import { pause, readsMany, TRANSPORTS } from "./readers.js";

const ROWS_MAX = 10;
const BARS_MAX = 48;
const BAR_MS = [0.5, 2_000]; // The ends of the bars' logarithmic scale.
const LATENCIES_MAX = 200; // The newest ones the median is taken of.
const KNOWN_MAX = 20_000; // Messages remembered to tell loss and doubles; bounds the page's memory.
const TEXT_MAX = 200; // Characters of a message shown in the table.
const LOST_AFTER_MS = 5_000; // Well over what a poll each second needs.
const RETRY_MS = [500, 8_000];
const GAPS = { epoch: "the log began anew", trimmed: "history was trimmed" };

const $ = (id) => document.getElementById(id);
const known = new Map(); // Message id -> { shown }, of everything that any reader owes or has.
export const sent = new Map(); // Trace -> when this page sent it, in the page's milliseconds.
const rows = new Map(); // Message id -> its row in the table, the oldest first.

// ---- A reader

class Card {
  constructor(transport) {
    const counts = { count: 0, doubled: 0, caught: 0, forgotten: 0 };
    const times = { quietMs: Infinity, liveAt: Infinity, gapAt: -Infinity };
    Object.assign(this, { state: "connecting" }, counts, times, transport);
    this.latencies = [];
    this.owed = new Map(); // Message id -> since when somebody has it and this reader does not.
    this.face = cardFace(this);
  }

  async go(state) {
    const { signal } = (this.stop = new AbortController());
    this.become(state);
    for (let failures = 0; ; failures += 1) {
      this.retryMs = undefined;
      await this.run(this, signal).catch(() => {}); // However it ended, the answer is to come back.
      if (signal.aborted) return;
      if (this.state === "live") failures = 0;
      this.become("lost");
      const backoff = Math.min(RETRY_MS[1], RETRY_MS[0] * 2 ** failures) * (0.5 + Math.random() / 2);
      await pause(this.retryMs ?? backoff, signal).catch(() => {});
      if (signal.aborted) return;
    }
  }

  isOn() {
    return this.state !== "dropped" && this.state !== "resting";
  }

  halt(state) {
    this.stop?.abort();
    this.become(state);
  }

  become(state) {
    this.state = state;
    this.heardAt = performance.now();
    draw();
  }

  live() {
    if (this.state !== "live") {
      this.become("live");
      this.liveAt = this.heardAt;
    }
    this.heardAt = performance.now();
  }

  take(answer) {
    this.live();
    for (const event of answer.events) this.hear(event);
    this.position = answer.position;
  }

  hear(event) {
    const now = performance.now();
    this.position = event.position ?? this.position;
    this.retryMs = event.retryMs;
    if (event.topic !== undefined) this.receive(event, now);
    else if (event.type === "gap") Object.assign(this, { gapAt: now, gap: event.reason });
    // The server beats after a fixed silence: two beats missed mean a dead line.
    else if (event.type === "heartbeat") this.quietMs = Math.max(5_000, 2.5 * (now - this.heardAt));
    this.heardAt = now;
    draw();
  }

  receive(event, now) {
    const trace = event.headers?.trace;
    const id = sent.has(trace) ? trace : event.position;
    const fact = know(id, event.type);
    if (!fact.shown) addRow(id, event);
    fact.shown = true;
    const owedSince = this.owed.get(id);
    if (owedSince === undefined) {
      this.doubled += 1;
      return mark(id, this, "twice", "bad");
    }
    this.owed.delete(id);
    this.count += 1;
    if (owedSince < this.liveAt) {
      this.caught += 1;
      return mark(id, this, "later", "later");
    }
    if (!sent.has(id)) return mark(id, this, "✓", "yes");
    this.latencies.push(now - sent.get(id));
    if (this.latencies.length > LATENCIES_MAX) this.latencies.shift();
    return mark(id, this, inMs(now - sent.get(id)), "yes");
  }

  // What this reader does not have: neither a gap that was told nor fresh news is a loss.
  missing() {
    const now = performance.now();
    const counts = { lost: this.forgotten, waiting: 0, gone: 0 };
    for (const since of this.owed.values()) {
      const overdue = this.state === "live" && now - Math.max(since, this.liveAt) > LOST_AFTER_MS;
      counts[since <= this.gapAt ? "gone" : overdue ? "lost" : "waiting"] += 1;
    }
    return counts;
  }
}

// Somebody has the message: from now on every reader owes it. EventSource hears one type only.
export function know(id, type = "message") {
  if (known.has(id)) return known.get(id);
  const fact = { shown: false };
  known.set(id, fact);
  for (const card of cards) {
    if (card.via !== "sse" || type === "message") card.owed.set(id, performance.now());
  }
  if (known.size > KNOWN_MAX) {
    const [oldest] = known.keys();
    known.delete(oldest);
    sent.delete(oldest);
    for (const card of cards) if (card.owed.delete(oldest)) card.forgotten += 1;
  }
  return fact;
}

// ---- Drawing: at most once a frame

let drawing = false;

export function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    cards.forEach(drawCard);
    const live = cards.filter((card) => card.state === "live").length;
    write($("summary"), `${live} of ${cards.length} live`);
  });
}

// Text that did not change is left alone: assistive technology and selections stay undisturbed.
export function write(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

const inMs = (value) => (value === undefined ? "–" : value < 10 ? value.toFixed(1) : Math.round(value));

function cardFace(card) {
  const view = $("card").content.cloneNode(true).firstElementChild;
  const find = (selector) => view.querySelector(selector);
  find("h3").textContent = card.name;
  find(".about").textContent = card.about;
  find("button").onclick = () => (card.isOn() ? card.halt("dropped") : card.go("connecting"));
  view.setAttribute("aria-label", card.name);
  view.dataset.via = card.via;
  $("cards").append(view);
  $("columns").append(cell("th", card.short, { scope: "col", role: "columnheader" }));
  return { view, find };
}

function drawCard(card) {
  const { view, find } = card.face;
  const { count, doubled, caught, state, latencies } = card;
  const missing = card.missing();
  Object.assign(view.dataset, { state, count, doubled, caught, ...missing });
  write(find(".state"), state === "lost" ? "reconnecting" : state);
  const sorted = [...latencies].sort((a, b) => a - b);
  write(find("[data-figure=count]"), count);
  write(find("[data-figure=last]"), inMs(latencies.at(-1)));
  write(find("[data-figure=median]"), inMs(sorted[sorted.length >> 1]));
  find("path").setAttribute("d", latencies.slice(-BARS_MAX).map(bar).join(""));
  const [mood, words] = verdict(card, missing);
  write(find(".verdict"), words);
  find(".verdict").dataset.mood = mood;
  const offer = card.isOn() ? "Drop" : "Reconnect";
  write(find("button"), offer);
  find("button").setAttribute("aria-label", `${offer} ${card.name}`);
}

function bar(latency, index) {
  const share = Math.log(latency / BAR_MS[0]) / Math.log(BAR_MS[1] / BAR_MS[0]);
  return `M${index * 3 + 1.5} 28V${(27 - 26 * Math.min(1, Math.max(0, share))).toFixed(1)}`;
}

function verdict(card, { lost, waiting, gone }) {
  const wrong = [lost && `${lost} lost`, card.doubled && `${card.doubled} doubled`].filter(Boolean);
  if (wrong.length) return ["bad", wrong.join(", ")];
  const why = card.gap && (GAPS[card.gap] ?? card.gap);
  const told = why && (gone ? `${gone} gone: ${why}` : why);
  const more = [card.caught && `${card.caught} caught up`, told].filter(Boolean).join(", ");
  if (waiting) return ["", [`${waiting} still to come`, more].filter(Boolean).join(", ")];
  if (gone || card.count === 0) return ["", more || "nothing yet"];
  return ["good", ["✓ each exactly once", more].filter(Boolean).join(", ")];
}

export function cell(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// The roles are said because a narrow screen shows the table as a grid.
export function addRow(id, event, pending = "·") {
  const row = cell("tr", "", { role: "row" });
  const what = cell("td", "", { class: "what", role: "cell" });
  if (readsMany) what.append(cell("span", event.topic, { class: "of" }));
  what.append(textOf(event));
  row.append(cell("td", new Date(event.time).toLocaleTimeString(), { class: "when", role: "cell" }), what);
  for (const card of cards) row.append(cell("td", pending, { "data-of": card.via, role: "cell" }));
  $("rows").prepend(row);
  rows.set(id, row);
  if (rows.size <= ROWS_MAX) return;
  const [[oldest, last]] = rows;
  last.remove();
  rows.delete(oldest);
}

function mark(id, card, text, kind) {
  const place = rows.get(id)?.querySelector(`[data-of=${card.via}]`);
  if (!place) return;
  place.textContent = text;
  place.dataset.kind = kind;
}

// Bytes are shown as text when they are; curl's `-d` and forms are often just that.
function textOf({ data, encoding }) {
  if (encoding === undefined) return (typeof data === "string" ? data : JSON.stringify(data)).slice(0, TEXT_MAX);
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).slice(0, TEXT_MAX);
  } catch {
    return `${bytes.length} bytes`;
  }
}

// Last, because a card needs everything above.
export const cards = TRANSPORTS.map((transport) => new Card(transport));
