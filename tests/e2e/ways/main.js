// All ways, open at once.

document.getElementById("topic").textContent = TOPIC;
document.getElementById("count").textContent = COUNT;

const WAYS = [
  [{ name: "Meta refresh page", asks: "?via=page", kind: "window" }, metaRefresh],
  [{ name: "Short polling", asks: "?via=poll&since=" }, shortPolling],
  [{ name: "JSONP polling", asks: "?via=jsonp&callback=", host: TWO }, jsonpPolling],
  [{ name: "JSONP long polling", asks: "?via=jsonp&callback=&wait=20", host: TWO }, jsonpLongPolling],
  [{ name: "Piggyback polling", asks: "POST, Tidings-Position:", host: TWO }, piggyback],
  [{ name: "XHR long polling", asks: "?via=longpoll&wait=20", host: ONE }, longPolling],
  [{ name: "Forever iframe", asks: "?via=iframe&origin=", host: TWO }, foreverIframe],
  [{ name: "XHR streaming", asks: "?via=xhr&bytes=20000", host: ONE }, xhrStreaming],
  [{ name: "NDJSON", asks: "?via=ndjson", host: ONE }, ndjson],
  [{ name: "Multipart, read by fetch", asks: "?via=multipart", host: TWO }, multipart],
  [{ name: "Multipart, a live picture", asks: "<img src=?via=multipart>", kind: "newest" }, picture],
  [{ name: "Server-Sent Events", asks: "?via=sse", host: ONE }, eventSource],
  [{ name: "WebSocket", asks: "Upgrade: websocket" }, topicSocket],
  [{ name: "WebSocket, tidings.v1", asks: "/ws" }, manyTopicsSocket],
  [{ name: "Atom feed", asks: "?via=feed" }, feed("feed", "entry", "id", "content")],
  [{ name: "RSS feed", asks: "?via=rss" }, feed("rss", "item", "guid", "description")],
  [{ name: "Pushlet, stream", asks: "p_event=join-listen&p_mode=stream" }, pushletFrame],
  [{ name: "Pushlet, pull", asks: "p_event=refresh&p_format=xml-strict" }, pushletPull],
];

for (const [about, read] of WAYS) {
  keep(new Card({ ...about, host: new URL(about.host ?? OWN).host }), read);
}

/** What the test asks. */
const books = () => cards.map(({ name, kind, state, shown, faults, returns, trouble }) =>
  ({ name, kind, state, shown, faults, returns, trouble }));

/** What the test tells. */
function tell({ published, server, killed, verdict }) {
  if (published !== undefined) document.getElementById("published").textContent = published;
  if (server !== undefined) document.getElementById("server").textContent = server;
  if (verdict !== undefined) document.getElementById("verdict").textContent = verdict;
  if (killed !== undefined) for (const { cells } of cards) cells[killed].classList.add("killed");
}
