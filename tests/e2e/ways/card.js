// What one way has shown: a row of the table, with a cell for each event. It must never read.

const AGAIN_MS = 250;
/** A stream here is silent for a second at most, since the server was told so; one that says nothing for so long is dead. */
const SILENCE_MS = 4_000;

const cards = [];

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** The numbers of the events in a text: each event is a picture, and says which. */
const numbersIn = (text) => [...text.matchAll(/data-n="(\d+)"/g)].map((match) => Number(match[1]));

class Card {
  constructor({ name, asks, host = location.host, kind = "each" }) {
    Object.assign(this, { name, kind, host, position: "start", shown: [], faults: [], state: "opening", returns: 0, trouble: "" });
    const row = document.querySelector("template").content.cloneNode(true).querySelector("tr");
    const put = (what, text) => (row.querySelector(what).textContent = text);
    put(".name", name);
    put(".asks", asks);
    put(".host", host);
    this.row = row;
    this.cells = Array.from({ length: COUNT }, () => row.querySelector(".strip").appendChild(document.createElement("i")));
    document.querySelector("tbody").append(row);
    cards.push(this);
    this.draw();
  }

  /** The way is open: it has got an answer. */
  live() {
    if (this.state === "live") return;
    if (this.state === "away") this.returns += 1;
    this.state = "live";
    this.draw();
  }

  /** Its connection has ended. */
  away(trouble = "") {
    this.trouble = trouble;
    if (this.state === "live") this.state = "away";
    this.draw();
  }

  /** An event is shown that came alone. */
  hear(text, position) {
    const [number, ...more] = numbersIn(text);
    if (number === undefined || more.length) this.faults.push(`not one event: ${text}`);
    if (position) this.position = position;
    this.add(number);
  }

  /** The events of an answer of JSON, each the form that all of them have. */
  take({ events, position }) {
    for (const event of events) this.event(event);
    this.position = position;
    this.live();
  }

  event({ topic, type, data, position }) {
    if (topic !== undefined) return this.hear(data, position);
    if (type === "gap" || type === "error") this.faults.push(JSON.stringify({ type, position }));
    if (position) this.position = position;
  }

  /** All that is shown now, where something else was shown before. */
  see(numbers) {
    if (numbers.length < this.shown.length) this.faults.push(`it showed ${this.shown.length}, then ${numbers.length}`);
    if (numbers.length === this.shown.length) return;
    this.shown = [];
    for (const number of numbers) this.add(number);
  }

  /** The one that is shown now, which may be the one that was. */
  replace(number) {
    if (number !== this.shown.at(-1)) this.add(number);
  }

  add(number) {
    const last = this.shown.at(-1) ?? 0;
    const isNext = this.kind === "newest" ? number > last : number === last + 1;
    if (!isNext) this.faults.push(`${number} behind ${last}`);
    this.shown.push(number);
    this.cells[number - 1]?.classList.add(isNext ? this.kind : "wrong");
    this.draw();
  }

  draw() {
    const { row, state, shown, returns, faults } = this;
    row.className = `${state} ${faults.length ? "wrong" : ""}`;
    row.querySelector(".state").textContent = state === "live" && returns ? `live, came back ${returns}×` : state;
    row.querySelector(".count").textContent = this.kind === "newest" ? `shows ${shown.at(-1) ?? "–"}` : shown.length;
  }
}

/** Reads for ever: `read` goes on from the card's position until its connection ends. */
async function keep(card, read) {
  for (;;) {
    const trouble = await read(card).then(() => "", String);
    card.away(trouble);
    await pause(AGAIN_MS);
  }
}

/** Gives up on what says nothing: calls `end` unless it is called itself often enough. */
function watch(end) {
  let timer;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(end, SILENCE_MS);
  };
  alive();
  return Object.assign(alive, { stop: () => clearTimeout(timer) });
}
