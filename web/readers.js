// The transports as a browser has them: one function each, that reads a topic from a position
// until its connection ends. It must never reconnect by itself, count, or touch the page.

const POLL_MS = 1_000;
const HOLD_S = 25; // Under the half minute after which some proxies give up.
const HOLD_QUIET_MS_MAX = 40_000; // A held request that was not answered by then is dead.
const TAKE_MAX = 1_000; // The most events the server puts in one answer.

// ---- The topic and its addresses

function topicsHere() {
  const query = new URLSearchParams(location.search).getAll("topic");
  if (!location.pathname.startsWith("/t/")) return query.length ? query : ["demo"];
  const path = location.pathname.slice(3);
  try {
    return [decodeURIComponent(path)];
  } catch {
    return [path]; // Not UTF-8: the server will say what is wrong with it.
  }
}

// Also what encodeURIComponent leaves alone but a shell or a quoted word would not.
const percent = (text) =>
  encodeURIComponent(text).replace(/[!'()]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export const topics = topicsHere();
export const readsMany = topics.length > 1 || topics[0].includes("*");
export const address = (topic) => `/t/${topic.split("/").map(percent).join("/")}`;

export function readAddress(query) {
  const all = topics.length > 1 ? topics.map((topic) => ["topic", topic]) : [];
  const search = new URLSearchParams([...all, ...Object.entries(query)]).toString();
  return (topics.length > 1 ? "/t" : address(topics[0])) + (search && `?${search}`);
}

// ---- Asking

export async function ask(query, accept, { signal, headers } = {}) {
  const options = { headers: { Accept: accept, ...headers }, cache: "no-store", signal };
  const response = await fetch(readAddress(query), options);
  if (!response.ok && response.status !== 304) throw await refusal(response);
  return response;
}

// The server's own words for what it refused, as an error.
export async function refusal(response) {
  const said = await response.json().catch(() => ({ message: `the server answered ${response.status}` }));
  const sentence = (words) => `${words[0].toUpperCase()}${words.slice(1)}.`;
  const text = [said.message, said.hint].filter(Boolean).map(sentence).join(" ");
  return Object.assign(new Error(text), { status: response.status });
}

export function pause(ms, signal) {
  return new Promise((done, fail) => {
    const stop = () => {
      clearTimeout(timer);
      fail(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      done();
    }, ms);
    signal?.addEventListener("abort", stop);
  });
}

// ---- Reading. `card` has `position`, and is told `live()`, `hear(event)` and `take(answer)`.

// EventSource would reconnect by itself, but repeat the `since` of its address; so the first
// failure ends it. It hears only the event types it listens to.
function sse(card, signal) {
  const source = new EventSource(readAddress({ since: card.position }));
  for (const type of ["message", "ready", "heartbeat", "gap", "goodbye"]) {
    source.addEventListener(type, (event) => card.hear(JSON.parse(event.data)));
  }
  return new Promise((ended) => {
    source.onopen = () => card.live();
    source.onerror = ended;
    signal.addEventListener("abort", ended);
  }).finally(() => source.close());
}

async function ndjson(card, signal) {
  const response = await ask({ since: card.position }, "application/x-ndjson", { signal });
  card.live();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) card.hear(JSON.parse(line));
  }
}

function frames(path, protocols, signal, hear) {
  const base = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}`;
  const socket = new WebSocket(base + path, protocols);
  const say = (command) => socket.send(JSON.stringify(command));
  return new Promise((ended) => {
    socket.onmessage = (event) => signal.aborted || hear(JSON.parse(event.data), say);
    socket.onclose = ended;
    signal.addEventListener("abort", ended);
  }).finally(() => socket.close());
}

function topicSocket(card, signal) {
  return frames(readAddress({ since: card.position }), [], signal, (frame) => {
    card.live();
    card.hear(frame);
  });
}

function manyTopicsSocket(card, signal) {
  const subscribe = { do: "subscribe", id: "all", sub: "page", topics, since: card.position };
  return frames("/ws", "tidings.v1", signal, (frame, say) => {
    if (frame.type === "ready") say(subscribe);
    else if (frame.id !== "all") card.hear(frame.event ?? frame);
    else if (frame.ok) card.live();
  });
}

// The first request is not held, so that the card knows at once whether it is live.
async function longPoll(card, signal) {
  for (let how = { via: "poll" }; ; how = { via: "longpoll", wait: HOLD_S }) {
    const query = { since: card.position, limit: TAKE_MAX, ...how };
    const response = await ask(query, "application/json", { signal });
    card.take(await response.json());
  }
}

async function poll(card, signal) {
  for (let headers = {}; ; await pause(POLL_MS, signal)) {
    const query = { since: card.position, limit: TAKE_MAX };
    const response = await ask(query, "application/json", { signal, headers });
    const tag = response.headers.get("ETag");
    if (tag) headers = { "If-None-Match": tag };
    if (response.status === 304) card.live();
    else card.take(await response.json());
  }
}

// `held`: takes one of the six HTTP/1.1 connections a browser opens to a server.
export const TRANSPORTS = [
  { via: "sse", name: "Server-Sent Events", short: "SSE", run: sse, held: true,
    about: "EventSource: one answer that never ends. Hears the types it asked for." },
  { via: "ndjson", name: "NDJSON stream", short: "NDJSON", run: ndjson, held: true,
    about: "fetch(): one JSON object a line, for as long as you listen." },
  { via: "ws", name: "WebSocket", short: "WebSocket", run: topicSocket,
    about: "A socket on the topic; what you send on it is published." },
  { via: "longpoll", name: "Long poll", short: "Long poll", run: longPoll, held: true,
    quietMs: HOLD_QUIET_MS_MAX, about: "fetch() in a loop: each request is held until there is news." },
  { via: "poll", name: "Poll", short: "Poll", run: poll,
    about: "fetch() once a second: no news costs a 304 without a body." },
  { via: "v1", name: "tidings.v1", short: "tidings.v1", run: manyTopicsSocket,
    about: "Many topics on one WebSocket, each subscription a reader." },
];
